#include "tls/tls_filter.hpp"

#include "tls/tls_contexts.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// Each makes us derive keys, and nothing obliges the peer to send anything else (RFC 8446, 4.6.3).
constexpr std::uint8_t most_key_updates = 16;

/// What OpenSSL reads and writes in the call that runs on this thread.
struct wire {
  bytes in;
  std::vector<std::byte>* out = nullptr;
  std::uint64_t now = 0;
};
thread_local wire current;

int read_wire(BIO* self, char* to, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(self);
  *done = std::min(size, current.in.size());
  if (*done == 0) {
    BIO_set_retry_read(self);
    return 0;
  }
  std::memcpy(to, current.in.data(), *done);
  current.in = current.in.subview(*done);
  return 1;
}

int write_wire(BIO* self, const char* from, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(self);
  const auto* const data = reinterpret_cast<const std::byte*>(from);
  try {
    current.out->insert(current.out->end(), data, data + size);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  *done = size;
  return 1;
}

long control_wire(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* wire_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dwell");
    if (made == nullptr) throw std::bad_alloc{};
    BIO_meth_set_read_ex(made, read_wire);
    BIO_meth_set_write_ex(made, write_wire);
    BIO_meth_set_ctrl(made, control_wire);
    BIO_meth_set_create(made, [](BIO* fresh) {
      BIO_set_init(fresh, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

/// One for all connections of a thread: it holds nothing of theirs.
BIO* wire_bio() {
  thread_local const bio_ptr mine{BIO_new(wire_method())};
  if (!mine) throw std::bad_alloc{};
  return mine.get();
}

/// For as long as OpenSSL is called.
class connected {
 public:
  connected(bytes in, std::vector<std::byte>& out, std::uint64_t now) {
    current = {in, &out, now};
    ERR_clear_error();
  }
  connected(const connected&) = delete;
  connected& operator=(const connected&) = delete;
  ~connected() { current = {}; }
};

}  // namespace

std::string openssl_complaint() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "no reason given" : reason;
}

tls_filter::tls_filter(ssl_ptr ssl, std::shared_ptr<const tls_contexts> contexts)
    : contexts_{std::move(contexts)}, ssl_{std::move(ssl)} {
  BIO* const bio = wire_bio();
  BIO_up_ref(bio);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_accept_state(ssl_.get());
}

std::uint64_t tls_filter::now() noexcept { return current.now; }

stream_filter::progress tls_filter::fail() {
  failed_ = true;
  failure_ = openssl_complaint();
  return progress::failed;
}

stream_filter::received tls_filter::receive(bytes raw, std::span<std::byte> room,
                                            std::vector<std::byte>& out, std::uint64_t now) {
  const connected while_here{raw, out, now};
  received result;
  if (!open_) {
    const int done = SSL_do_handshake(ssl_.get());
    if (done != 1) {
      const bool wants_more = SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
      result.now = wants_more ? progress::opening : fail();
      return result;
    }
    open_ = true;
  }
  result.now = progress::open;
  std::size_t got = 0;
  while (SSL_read_ex(ssl_.get(), room.data() + result.size, room.size() - result.size, &got) == 1) {
    result.size += got;
  }
  if (result.size != 0) key_updates_ = 0;
  const int why = SSL_get_error(ssl_.get(), 0);
  if (why == SSL_ERROR_ZERO_RETURN) {
    result.now = progress::ended;
  } else if (why != SSL_ERROR_WANT_READ) {
    result.now = fail();
  } else if (key_updates_ > most_key_updates) {
    failed_ = true;
    failure_ = "too many KeyUpdate messages without data";
    result.now = progress::failed;
  }
  return result;
}

void tls_filter::send(bytes data, std::vector<std::byte>& out) {
  if (failed_) return;  // the alert was the last that can be said
  const connected while_here{{}, out, 0};
  std::size_t done = 0;
  if (!data.empty() && SSL_write_ex(ssl_.get(), data.data(), data.size(), &done) != 1) {
    throw std::bad_alloc{};  // what it writes to takes all, and never asks to wait
  }
}

void tls_filter::end(std::vector<std::byte>& out) noexcept {
  if (!open_ || failed_ || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  const connected while_here{{}, out, 0};
  SSL_shutdown(ssl_.get());
}

void tls_filter::at_end() noexcept {
  truncated_ = (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) == 0;
  if (facts_) facts_->truncated = truncated_;
}

bool tls_filter::holds_part() const noexcept {
  return SSL_has_pending(ssl_.get()) == 1 || std::string_view{SSL_rstate_string(ssl_.get())} ==
                                                 "RB";  // the body of a record is missing
}

void tls_filter::count_message(std::uint8_t type) noexcept {
  if (type == SSL3_MT_KEY_UPDATE && key_updates_ < UINT8_MAX) ++key_updates_;
}

const tls_facts* tls_filter::facts() noexcept {
  if (!open_ || facts_) return facts_.get();
  auto text = [](const char* what) { return what == nullptr ? std::string_view{} : what; };
  facts_ = std::make_unique<tls_facts>();
  facts_->version = text(SSL_get_version(ssl_.get()));
  facts_->cipher = text(SSL_get_cipher_name(ssl_.get()));
  facts_->server_name = text(SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name));
  facts_->resumed = SSL_session_reused(ssl_.get()) == 1;
  facts_->truncated = truncated_;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  facts_->protocol = {reinterpret_cast<const char*>(protocol), size};
  const X509* const shown = SSL_get0_peer_certificate(ssl_.get());
  if (shown != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK) {
    const bio_ptr into{BIO_new(BIO_s_mem())};
    X509_NAME_print_ex(into.get(), X509_get_subject_name(shown), 0, XN_FLAG_RFC2253);
    char* name = nullptr;
    const long length = BIO_get_mem_data(into.get(), &name);
    facts_->peer.assign(name, static_cast<std::size_t>(length));
  }
  return facts_.get();
}

}  // namespace dwell::inline v0
