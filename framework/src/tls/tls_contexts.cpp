#include "tls/tls_contexts.hpp"

#include "tls/credentials.hpp"
#include "tls/tls_filter.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace dwell::inline v0 {
namespace {

void ask_clients(SSL_CTX& context, const tls_options& options) {
  trust(context, options.client_authorities, "tls.client_authorities", true);
  const bool required = options.clients == client_certificates::required;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
}

void on_secret(const SSL* of, const char* line) {
  auto* const filter = static_cast<tls_filter*>(SSL_get_app_data(of));
  if (filter != nullptr && filter->learn_secret(line)) {
    SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(of), nullptr);
  }
}

/// The secrets of TLS 1.3 come right after either Finished. OpenSSL prints each, and has more than
/// we want, at 3 % of a handshake for one; so it is asked only then. The context is this loop's
/// alone.
void expect_secret(SSL* of) {
  if (SSL_version(of) != TLS1_3_VERSION) return;
  SSL_CTX* const context = SSL_get_SSL_CTX(of);
  if (SSL_CTX_get_keylog_callback(context) == nullptr) {
    SSL_CTX_set_keylog_callback(context, on_secret);
  }
}

void on_message(int from_us, int, int content, const void* data, std::size_t size, SSL* of, void*) {
  auto* const filter = static_cast<tls_filter*>(SSL_get_app_data(of));
  if (filter == nullptr || size == 0) return;
  const std::uint8_t type = *static_cast<const std::uint8_t*>(data);
  if (from_us == 0 && content == SSL3_RT_HANDSHAKE) filter->count_message(type);
}

/// The same where OpenSSL's object is to go.
void on_message_of_compact(int from_us, int version, int content, const void* data,
                           std::size_t size, SSL* of, void* argument) {
  on_message(from_us, version, content, data, size, of, argument);
  auto* const filter = static_cast<tls_filter*>(SSL_get_app_data(of));
  if (filter == nullptr || size == 0) return;
  const std::uint8_t type = *static_cast<const std::uint8_t*>(data);
  if (content == SSL3_RT_HANDSHAKE && type == SSL3_MT_FINISHED) expect_secret(of);
  if (from_us != 0 && content == SSL3_RT_HEADER) filter->count_record();
}

}  // namespace

tls_contexts::tls_contexts(const tls_options& options, std::shared_ptr<ticket_keys> tickets)
    : tickets_{std::move(tickets)}, protocols_{as_extension(options.protocols, "tls.protocols")} {
  contexts_.push_back(make(options.certificate, "certificate", options));
  for (std::size_t i = 0; i < options.others.size(); ++i) {
    contexts_.push_back(make(options.others[i], "others[" + std::to_string(i) + ']', options));
  }
}

context_ptr tls_contexts::make(const tls_certificate& shown, const std::string& field,
                               const tls_options& options) {
  context_ptr made{SSL_CTX_new(TLS_server_method())};
  if (!made) throw std::bad_alloc{};
  SSL_CTX& context = *made;
  set_defaults(context);
  SSL_CTX_set_options(&context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_msg_callback(&context, options.compact ? on_message_of_compact : on_message);
  use_certificate(context, shown, "tls." + field);
  if (options.clients != client_certificates::not_asked) ask_clients(context, options);
  if (!protocols_.empty()) SSL_CTX_set_alpn_select_cb(&context, on_protocols, this);
  if (!options.others.empty()) {
    SSL_CTX_callback_ctrl(&context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                          reinterpret_cast<void (*)()>(on_server_name));
    SSL_CTX_set_tlsext_servername_arg(&context, this);
  }
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  // Tickets of one service are not for another that asks clients for something else.
  static constexpr std::string_view session_context = "dwell";
  SSL_CTX_set_session_id_context(&context,
                                 reinterpret_cast<const unsigned char*>(session_context.data()),
                                 static_cast<unsigned>(session_context.size()));
  if (tickets_ == nullptr) {
    SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(&context, 0);
  } else {
    tickets_->seal(context);
  }
  if (options.configure) options.configure(&context);
  return made;
}

int tls_contexts::on_server_name(SSL* of, int*, void* self) {
  const char* const name = SSL_get_servername(of, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const context_ptr& each : static_cast<tls_contexts*>(self)->contexts_) {
    X509* const certificate = SSL_CTX_get0_certificate(each.get());
    if (X509_check_host(certificate, name, 0, 0, nullptr) == 1) {
      SSL_set_SSL_CTX(of, each.get());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int tls_contexts::on_protocols(SSL*, const unsigned char** chosen, unsigned char* size,
                               const unsigned char* offered, unsigned offered_size, void* self) {
  const std::string& ours = static_cast<tls_contexts*>(self)->protocols_;
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::unique_ptr<stream_filter> tls_contexts::make_filter(std::shared_ptr<const tls_contexts> from) {
  ssl_ptr ssl{SSL_new(from->contexts_.front().get())};
  if (!ssl) throw std::bad_alloc{};
  return std::make_unique<tls_filter>(std::move(ssl), std::move(from));
}

tls_service::tls_service(tls_options options, std::size_t loops)
    : options_{std::move(options)},
      tickets_{options_.ticket_key_lifetime == off
                   ? nullptr
                   : std::make_shared<ticket_keys>(options_.ticket_key_lifetime)},
      loops_{loops},
      contexts_{read()} {}

std::unique_ptr<stream_filter> tls_service::make(std::uint32_t loop) {
  std::shared_ptr<const tls_contexts> now;
  {
    const std::lock_guard lock{mutex_};
    now = contexts_[loop];
  }
  return tls_contexts::make_filter(std::move(now));
}

tls_service::contexts_of_loops tls_service::read() const {
  contexts_of_loops made;
  for (std::size_t i = 0; i < loops_; ++i) {
    made.push_back(std::make_shared<const tls_contexts>(options_, tickets_));
  }
  return made;
}

void tls_service::use(contexts_of_loops fresh) {
  const std::lock_guard lock{mutex_};
  contexts_.swap(fresh);
}

}  // namespace dwell::inline v0
