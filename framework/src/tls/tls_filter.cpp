#include "tls/tls_filter.hpp"

#include "tls/client_contexts.hpp"
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
  thread_local bio_ptr mine;
  if (!mine) mine.reset(BIO_new(wire_method()));
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

std::string_view openssl_reason() noexcept {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "no reason given" : reason;
}

struct tls_filter::session {
  ~session() {
    // A session stays good however its connection ended (RFC 5246, 7.2.1); OpenSSL has its doubts.
    SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    OPENSSL_cleanse(&ours, sizeof ours);
    OPENSSL_cleanse(&theirs, sizeof theirs);
  }

  std::shared_ptr<const tls_contexts> contexts;  // the SSL object's callbacks use them
  std::shared_ptr<client_contexts> client;       // or these, when we have connected
  std::string destination;
  ssl_ptr ssl;
  record_layer::traffic ours{}, theirs{};  // TLS 1.3: as far as they are known
  bool watched = false;                    // our callbacks have not been replaced
};

struct tls_filter::agreement : tls_facts {
  std::string server_name_text, protocol_text;
};

tls_filter::tls_filter(ssl_ptr ssl, std::shared_ptr<const tls_contexts> contexts)
    : session_{new session{.contexts = std::move(contexts), .ssl = std::move(ssl)}} {
  connect_bio();
  SSL_set_accept_state(session_->ssl.get());
}

tls_filter::tls_filter(ssl_ptr ssl, std::shared_ptr<client_contexts> contexts,
                       std::string destination)
    : session_{new session{.client = std::move(contexts),
                           .destination = std::move(destination),
                           .ssl = std::move(ssl)}} {
  connect_bio();
  SSL_set_connect_state(session_->ssl.get());
}

void tls_filter::connect_bio() {
  BIO* const bio = wire_bio();
  BIO_up_ref(bio);
  SSL_set_bio(session_->ssl.get(), bio, bio);
  SSL_set_app_data(session_->ssl.get(), this);
}

tls_filter::~tls_filter() = default;

std::uint64_t tls_filter::now() noexcept { return current.now; }

stream_filter::progress tls_filter::fail() {
  failed_ = true;
  failure_ = openssl_reason();
  const SSL* const of = session_->ssl.get();
  const long verified = SSL_get_verify_result(of);
  if (!open_ && verified != X509_V_OK && (SSL_get_verify_mode(of) & SSL_VERIFY_PEER) != 0) {
    distrusts_ = true;
    failure_ = X509_verify_cert_error_string(verified);
  }
  return progress::failed;
}

// ── handshake ──

/// False: it is not over, and `result` says how it stands.
bool tls_filter::shake_hands(received& result) {
  SSL* const of = session_->ssl.get();
  const int done = SSL_do_handshake(of);
  if (done != 1) {
    const bool wants_more = SSL_get_error(of, done) == SSL_ERROR_WANT_READ;
    result.now = wants_more ? progress::opening : fail();
    return false;
  }
  open_ = true;
  take_over();
  return true;
}

/// From here on the records of TLS 1.3 are ours, and what OpenSSL held is free again. What it holds
/// that we don't know how to go on with stays with it.
void tls_filter::take_over() {
  session& from = *session_;
  SSL* const of = from.ssl.get();
  if (SSL_is_server(of) == 0) return;  // tickets may come at any time
  if (SSL_version(of) != TLS1_3_VERSION || SSL_has_pending(of) == 1 || !from.watched) return;
  const record_layer::suite* const agreed = record_layer::find(SSL_get_current_cipher(of));
  if (agreed == nullptr || from.ours.size == 0 || from.theirs.size == 0) return;
  agreed_ = agree();
  records_ = std::make_unique<record_layer>(*agreed, from.ours, from.theirs);
  session_.reset();
}

void tls_filter::count_message(std::uint8_t type) noexcept {
  session_->watched = true;
  if (type == SSL3_MT_KEY_UPDATE && key_updates_ < UINT8_MAX) ++key_updates_;
}

void tls_filter::count_record() noexcept { ++session_->ours.records; }

bool tls_filter::learn_secret(std::string_view line) noexcept {
  const std::string_view label = line.substr(0, line.find(' '));
  const std::string_view hex = line.substr(line.rfind(' ') + 1);
  record_layer::traffic* const of = label == "SERVER_TRAFFIC_SECRET_0"   ? &session_->ours
                                    : label == "CLIENT_TRAFFIC_SECRET_0" ? &session_->theirs
                                                                         : nullptr;
  if (of == nullptr || hex.size() > 2 * of->secret.size()) return false;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  of->size = hex.size() / 2;
  for (std::size_t i = 0; i < of->size; ++i) {
    of->secret[i] = static_cast<unsigned char>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  }
  of->records = 0;  // a new key counts from the beginning
  return true;
}

bool tls_filter::offer_session(SSL_SESSION* offered) noexcept {
  if (!session_ || !session_->client) return false;
  try {
    session_->client->keep(session_->destination, offered);
    return true;
  } catch (const std::bad_alloc&) {  // it is freed already
    return true;
  }
}

// ── what comes and leaves ──

stream_filter::received tls_filter::receive(bytes raw, std::span<std::byte> room,
                                            std::vector<std::byte>& out, std::uint64_t now) {
  received result;
  if (!records_) {
    const connected while_here{raw, out, now};
    if (!open_ && !shake_hands(result)) return result;
    if (!records_) return read(room);
    raw = current.in;
  }
  const record_layer::received got = records_->receive(raw, room, out);
  result.size = got.size;
  result.now = got.now == record_layer::state::open    ? progress::open
               : got.now == record_layer::state::ended ? progress::ended
                                                       : progress::failed;
  failed_ = result.now == progress::failed;
  if (failed_) failure_ = records_->failure();
  return result;
}

stream_filter::received tls_filter::read(std::span<std::byte> room) {
  SSL* const of = session_->ssl.get();
  received result{.now = progress::open};
  std::size_t got = 0;
  while (SSL_read_ex(of, room.data() + result.size, room.size() - result.size, &got) == 1) {
    result.size += got;
  }
  if (result.size != 0) key_updates_ = 0;
  const int why = SSL_get_error(of, 0);
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
  if (records_) return records_->send(data, out);
  const connected while_here{{}, out, 0};
  std::size_t done = 0;
  if (!data.empty() && SSL_write_ex(session_->ssl.get(), data.data(), data.size(), &done) != 1) {
    throw std::bad_alloc{};  // what it writes to takes all, and never asks to wait
  }
}

void tls_filter::end(std::vector<std::byte>& out) noexcept {
  if (!open_ || failed_) return;
  if (records_) {
    try {
      records_->end(out);
    } catch (const std::bad_alloc&) {  // the FIN comes without it
    }
    return;
  }
  SSL* const of = session_->ssl.get();
  if ((SSL_get_shutdown(of) & SSL_SENT_SHUTDOWN) != 0) return;
  const connected while_here{{}, out, 0};
  SSL_shutdown(of);
}

void tls_filter::at_end() noexcept {
  truncated_ = records_ ? !records_->has_ended()
                        : (SSL_get_shutdown(session_->ssl.get()) & SSL_RECEIVED_SHUTDOWN) == 0;
  if (agreed_) agreed_->truncated = truncated_;
}

bool tls_filter::holds_part() const noexcept {
  if (records_) return records_->holds_part();
  const SSL* const of = session_->ssl.get();
  return SSL_has_pending(of) == 1 ||
         std::string_view{SSL_rstate_string(of)} == "RB";  // the body of a record is missing
}

// ── what was agreed ──

bool tls_filter::resumed() const noexcept {
  return agreed_ ? agreed_->resumed : SSL_session_reused(session_->ssl.get()) == 1;
}

const tls_facts* tls_filter::facts() noexcept {
  if (open_ && !agreed_) agreed_ = agree();
  return agreed_.get();
}

std::unique_ptr<tls_filter::agreement> tls_filter::agree() const {
  SSL* const of = session_->ssl.get();
  const auto text = [](const char* what) { return what == nullptr ? std::string_view{} : what; };
  auto made = std::make_unique<agreement>();
  made->version = text(SSL_get_version(of));
  made->cipher = text(SSL_get_cipher_name(of));
  made->server_name_text = text(SSL_get_servername(of, TLSEXT_NAMETYPE_host_name));
  made->server_name = made->server_name_text;
  made->resumed = SSL_session_reused(of) == 1;
  made->truncated = truncated_;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(of, &protocol, &size);
  made->protocol_text.assign(reinterpret_cast<const char*>(protocol), size);
  made->protocol = made->protocol_text;
  const X509* const shown = SSL_get0_peer_certificate(of);
  if (shown != nullptr && SSL_get_verify_result(of) == X509_V_OK) {
    const bio_ptr into{BIO_new(BIO_s_mem())};
    if (!into ||
        X509_NAME_print_ex(into.get(), X509_get_subject_name(shown), 0, XN_FLAG_RFC2253) < 0) {
      throw std::bad_alloc{};  // a part of a name would be somebody else's
    }
    char* name = nullptr;
    const long length = BIO_get_mem_data(into.get(), &name);
    made->peer.assign(name, static_cast<std::size_t>(length));
  }
  return made;
}

}  // namespace dwell::inline v0
