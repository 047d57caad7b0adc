#include "support/tls_session.hpp"

#include <dwell/tls/self_signed.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <array>
#include <stdexcept>

namespace dwell {
namespace {

/// For all threads: sessions are not kept.
SSL_CTX* client_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
    if (made == nullptr) throw std::bad_alloc{};
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
    return made;
  }();
  return context;
}

[[noreturn]] void fail(const char* where) {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  throw std::runtime_error{std::string{where} + ": " + (reason == nullptr ? "TLS" : reason)};
}

void use(SSL& ssl, const tls_certificate& own) {
  const auto reading = [](const std::string& text) {
    return BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  };
  BIO* const chain = reading(own.chain);
  BIO* const from = reading(own.private_key);
  X509* const certificate = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(from, nullptr, nullptr, nullptr);
  if (SSL_use_certificate(&ssl, certificate) != 1 || SSL_use_PrivateKey(&ssl, key) != 1) {
    fail("client certificate");
  }
  EVP_PKEY_free(key);
  X509_free(certificate);
  BIO_free(from);
  BIO_free(chain);
}

}  // namespace

const tls_certificate& test_certificate() {
  static const tls_certificate made = self_signed();
  return made;
}

void tls_session::freed::operator()(ssl_st* what) const noexcept { SSL_free(what); }

tls_session::tls_session(const tls_session_options& how) : ssl_{SSL_new(client_context())} {
  if (!ssl_) throw std::bad_alloc{};
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
  if (how.certificate != nullptr) use(*ssl_, *how.certificate);
  if (how.version == 0) return;
  SSL_set_min_proto_version(ssl_.get(), how.version);
  SSL_set_max_proto_version(ssl_.get(), how.version);
}

bool tls_session::is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }

void tls_session::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done != 1 && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) fail("handshake");
}

void tls_session::feed(std::string_view from_wire) {
  BIO_write(SSL_get_rbio(ssl_.get()), from_wire.data(), static_cast<int>(from_wire.size()));
}

std::string tls_session::read(std::size_t at_most) {
  ERR_clear_error();
  std::string data(at_most, '\0');
  std::size_t got = 0;
  const int done = SSL_read_ex(ssl_.get(), data.data(), data.size(), &got);
  data.resize(done == 1 ? got : 0);
  if (done == 1) return data;
  const int why = SSL_get_error(ssl_.get(), done);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN) fail("read");
  return data;
}

bool tls_session::got_close_notify() const {
  return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void tls_session::write(std::string_view data) {
  ERR_clear_error();
  std::size_t done = 0;
  if (SSL_write_ex(ssl_.get(), data.data(), data.size(), &done) != 1) fail("write");
}

void tls_session::write_close_notify() { SSL_shutdown(ssl_.get()); }

void tls_session::write_key_update(bool wants_one_back) {
  ERR_clear_error();
  SSL_key_update(ssl_.get(),
                 wants_one_back ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  SSL_do_handshake(ssl_.get());
}

std::string& tls_session::unsent() {
  BIO* const out = SSL_get_wbio(ssl_.get());
  const std::size_t before = unsent_.size();
  unsent_.resize(before + BIO_ctrl_pending(out));
  if (unsent_.size() != before) {
    BIO_read(out, unsent_.data() + before, static_cast<int>(unsent_.size() - before));
  }
  return unsent_;
}

std::string tls_session::shown() const {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  std::array<char, 256> name{};
  if (certificate == nullptr) return {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            name.size());
  return name.data();
}

}  // namespace dwell
