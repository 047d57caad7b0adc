#include "tls_peer.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

using namespace std::chrono_literals;

namespace {

BIO* reading(const std::string& text) {
  return BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
}

void use(SSL_CTX* context, const dwell::tls_certificate& certificate) {
  BIO* const chain = reading(certificate.chain);
  X509* const first = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
  ASSERT_EQ(SSL_CTX_use_certificate(context, first), 1);
  BIO* const from = reading(certificate.private_key);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(from, nullptr, nullptr, nullptr);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key), 1);
  EVP_PKEY_free(key);
  X509_free(first);
  BIO_free(from);
  BIO_free(chain);
}

}  // namespace

tls_peer::tls_peer(dwell::testing::simulation& sim, const dwell::server& to,
                   tls_peer_options options)
    : sim_{sim},
      socket_{sim.connect(to)},
      context_{SSL_CTX_new(TLS_client_method())},
      ssl_{nullptr} {
  SSL_CTX_set_min_proto_version(context_, options.version);
  SSL_CTX_set_max_proto_version(context_, options.version);
  if (!options.certificate.chain.empty()) use(context_, options.certificate);
  if (options.suites != nullptr) SSL_CTX_set_ciphersuites(context_, options.suites);
  ssl_ = SSL_new(context_);
  std::string protocols;
  for (const std::string& each : options.protocols) {
    protocols.append(1, static_cast<char>(each.size())).append(each);
  }
  SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned>(protocols.size()));
  if (!options.server_name.empty()) {
    SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             options.server_name.data());
  }
  if (options.resumes != nullptr) SSL_set_session(ssl_, options.resumes);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_);
  if (!options.first.empty()) socket_.send(options.first);
  pump();
}

tls_peer::~tls_peer() {
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // the session stays good
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void tls_peer::pump() {
  const std::string came = socket_.take_received();
  BIO_write(SSL_get_rbio(ssl_), came.data(), static_cast<int>(came.size()));
  ERR_clear_error();
  if (!failed_) {
    if (!is_open()) SSL_do_handshake(ssl_);
    std::array<char, 16'384> part;
    std::size_t got = 0;
    if (is_open() && !to_write_.empty() &&
        SSL_write_ex(ssl_, to_write_.data(), to_write_.size(), &got) == 1) {
      to_write_.clear();
    }
    int result = 0;
    while ((result = SSL_read_ex(ssl_, part.data(), part.size(), &got)) == 1) {
      received_.append(part.data(), got);
    }
    const int why = SSL_get_error(ssl_, result);
    failed_ = why != SSL_ERROR_WANT_READ && why != SSL_ERROR_ZERO_RETURN;
  }
  BIO* const out = SSL_get_wbio(ssl_);
  std::string leaves(BIO_ctrl_pending(out), '\0');
  if (leaves.empty()) return;
  BIO_read(out, leaves.data(), static_cast<int>(leaves.size()));
  socket_.send(leaves);
}

void tls_peer::advance(dwell::duration time) {
  for (dwell::duration passed{0}; passed < time; passed += 1ms) {
    sim_.advance(1ms);
    pump();
  }
}

bool tls_peer::run_until(const std::function<bool()>& done, dwell::duration within) {
  for (dwell::duration passed{0}; passed < within && !done(); passed += 1ms) advance(1ms);
  return done();
}

void tls_peer::write(std::string_view data) {
  to_write_ += data;
  pump();
}

void tls_peer::send_close_notify() {
  SSL_shutdown(ssl_);
  pump();
}

bool tls_peer::is_open() const { return SSL_is_init_finished(ssl_) == 1; }
const std::string& tls_peer::received() const { return received_; }
bool tls_peer::got_close_notify() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0 && !failed_;
}

std::string tls_peer::shown() const {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_);
  std::array<char, 256> name{};
  if (certificate == nullptr) return "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            name.size());
  return name.data();
}

SSL_SESSION* tls_peer::session() const { return SSL_get1_session(ssl_); }
