#include "tls/tls_contexts.hpp"

#include "tls/tls_filter.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// Forward secrecy and an AEAD; TLS 1.3 has nothing else.
constexpr const char* ciphers_of_tls_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view pem_begins = "-----BEGIN";

[[noreturn]] void complain(const std::string& field, const std::string& what) {
  std::string text = "tls.";
  text.append(field).append(": ").append(what);
  throw std::invalid_argument{text};
}

/// The name of a file, or that there is none.
std::string shown(const std::string& source) {
  return source.starts_with(pem_begins) ? "its text" : '"' + source + '"';
}

bio_ptr open(const std::string& source, const std::string& field) {
  if (source.empty()) complain(field, "empty; use a PEM file");
  bio_ptr opened{source.starts_with(pem_begins)
                     ? BIO_new_mem_buf(source.data(), static_cast<int>(source.size()))
                     : BIO_new_file(source.c_str(), "r")};
  if (!opened) complain(field, shown(source) + " cannot be read: " + openssl_complaint());
  return opened;
}

/// Nobody is there to type a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

void use_chain(SSL_CTX& context, const std::string& source, const std::string& field) {
  const bio_ptr from = open(source, field);
  const certificate_ptr first{PEM_read_bio_X509_AUX(from.get(), nullptr, no_passphrase, nullptr)};
  if (!first) complain(field, shown(source) + " has no certificate in PEM: " + openssl_complaint());
  if (SSL_CTX_use_certificate(&context, first.get()) != 1) {
    complain(field, shown(source) + " cannot be used: " + openssl_complaint());
  }
  while (certificate_ptr next{PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(&context, next.get()) != 1) throw std::bad_alloc{};
    static_cast<void>(next.release());
  }
  openssl_complaint();  // that there is no further one
}

void use_key(SSL_CTX& context, const std::string& source, const std::string& field) {
  const bio_ptr from = open(source, field);
  const key_ptr key{PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr)};
  if (!key) {
    complain(field, shown(source) + " has no private key that can be read: " + openssl_complaint() +
                        "; it must be PEM without a passphrase");
  }
  if (SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
    complain(field, shown(source) + " is not the key of the certificate: " + openssl_complaint());
  }
}

void ask_clients(SSL_CTX& context, const tls_options& options) {
  const std::string field = "client_authorities";
  const bio_ptr from = open(options.client_authorities, field);
  std::size_t count = 0;
  while (
      const certificate_ptr next{PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr)}) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), next.get()) != 1 ||
        SSL_CTX_add_client_CA(&context, next.get()) != 1) {
      throw std::bad_alloc{};
    }
    ++count;
  }
  if (count == 0) {
    complain(field, shown(options.client_authorities) +
                        " has no certificate in PEM: " + openssl_complaint());
  }
  openssl_complaint();
  const bool required = options.clients == client_certificates::required;
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
}

std::string as_extension(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255) {
      complain("protocols", '"' + each + "\": use 1 to 255 bytes");
    }
    list.append(1, static_cast<char>(each.size())).append(each);
  }
  return list;
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
  if (content == SSL3_RT_HANDSHAKE && type == SSL3_MT_FINISHED) expect_secret(of);
  if (from_us != 0 && content == SSL3_RT_HEADER) filter->count_record();
  if (from_us == 0 && content == SSL3_RT_HANDSHAKE) filter->count_message(type);
}

}  // namespace

tls_contexts::tls_contexts(const tls_options& options, std::shared_ptr<ticket_keys> tickets)
    : tickets_{std::move(tickets)}, protocols_{as_extension(options.protocols)} {
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
  SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(&context, ciphers_of_tls_1_2);
  SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection has no buffers. What is written is taken at once, so moving ones do no harm.
  // The chain is what the file has: looking for more of it would cost each handshake a
  // verification.
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_msg_callback(&context, on_message);
  use_chain(context, shown.chain, field + ".chain");
  use_key(context, shown.private_key, field + ".private_key");
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
