#include "tls/client_contexts.hpp"

#include "tls/credentials.hpp"
#include "tls/tls_filter.hpp"

#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>
#include <utility>

namespace dwell::inline v0 {
namespace {

constexpr std::size_t most_sessions = 1'024;

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* const parsed = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(parsed);
  return parsed != nullptr;
}

/// Tells whether OpenSSL is to keep a reference: `keep` takes it.
int on_session(SSL* of, SSL_SESSION* session) {
  auto* const filter = static_cast<tls_filter*>(SSL_get_app_data(of));
  return filter != nullptr && filter->offer_session(session) ? 1 : 0;
}

}  // namespace

client_contexts::client_contexts(const tls_client_options& options)
    : server_name_{options.server_name},
      protocols_{as_extension(options.protocols, "tls_client.protocols")},
      verify_{options.verify},
      resume_{options.resume},
      context_{SSL_CTX_new(TLS_client_method())} {
  if (!context_) throw std::bad_alloc{};
  SSL_CTX& context = *context_;
  set_defaults(context);
  if (verify_ && options.authorities.empty() && SSL_CTX_set_default_verify_paths(&context) != 1) {
    throw std::invalid_argument{"tls_client.authorities: empty, and the system has none: " +
                                openssl_complaint()};
  }
  if (!options.authorities.empty()) {
    trust(context, options.authorities, "tls_client.authorities", false);
  }
  if (!options.certificate.chain.empty() || !options.certificate.private_key.empty()) {
    use_certificate(context, options.certificate, "tls_client.certificate");
  }
  SSL_CTX_set_verify(&context, verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  // 0 is success, unlike everywhere else.
  if (!protocols_.empty() &&
      SSL_CTX_set_alpn_protos(&context, reinterpret_cast<const unsigned char*>(protocols_.data()),
                              static_cast<unsigned>(protocols_.size())) != 0) {
    throw std::bad_alloc{};
  }
  if (resume_) {
    SSL_CTX_set_session_cache_mode(&context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(&context, on_session);
  } else {
    SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  }
  if (options.configure) options.configure(&context);
}

std::unique_ptr<stream_filter> client_contexts::make(const std::string& host, std::uint16_t port) {
  ssl_ptr ssl{SSL_new(context_.get())};
  if (!ssl) throw std::bad_alloc{};
  const std::string& name = server_name_.empty() ? host : server_name_;
  const bool address = is_address(name);
  const bool named = !name.empty() && !name.starts_with("unix:");
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl.get());
  bool fine = true;
  if (named && address) {
    fine = X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1;
  } else if (named) {
    fine = SSL_set1_host(ssl.get(), name.c_str()) == 1 &&
           SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(name.c_str())) == 1;  // only read
  }
  if (!fine) throw std::bad_alloc{};
  std::string destination = host;
  destination.append(1, ' ').append(std::to_string(port));
  if (resume_) {
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(destination);
    // OpenSSL takes one of TLS 1.3 for used up after its first handshake; servers rarely do.
    if (found != sessions_.end()) {
      const session_ptr copy{SSL_SESSION_dup(found->second.get())};
      if (copy) SSL_set_session(ssl.get(), copy.get());
    }
  }
  return std::make_unique<tls_filter>(std::move(ssl), shared_from_this(), std::move(destination));
}

void client_contexts::keep(const std::string& destination, SSL_SESSION* session) {
  session_ptr mine{session};
  const std::lock_guard lock{mutex_};
  if (sessions_.size() >= most_sessions && !sessions_.contains(destination)) {
    sessions_.erase(sessions_.begin());
  }
  sessions_[destination] = std::move(mine);
}

tls_client::tls_client(tls_client_options options)
    : contexts_{std::make_shared<client_contexts>(options)} {}

tls_client::~tls_client() = default;

}  // namespace dwell::inline v0
