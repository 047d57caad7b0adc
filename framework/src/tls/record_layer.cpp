#include "tls/record_layer.hpp"

#include "tls/record_keys.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

namespace dwell::inline v0 {
namespace {

constexpr std::size_t header_size = 5, tag_size = 16;
constexpr std::size_t most_content = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t most_protected = most_content + 256;
/// Each makes us work, and nothing obliges the peer to send anything else (RFC 8446, 4.6.3).
constexpr std::uint8_t most_without_data = 16;

const unsigned char* raw(const std::byte* data) noexcept {
  return reinterpret_cast<const unsigned char*>(data);
}
unsigned char* raw(std::byte* data) noexcept { return reinterpret_cast<unsigned char*>(data); }

std::array<std::byte, header_size> header_of(std::size_t size) noexcept {
  return {std::byte{SSL3_RT_APPLICATION_DATA}, std::byte{3}, std::byte{3},
          static_cast<std::byte>(size >> 8U), static_cast<std::byte>(size & 0xffU)};
}

}  // namespace

// ── keys ──

const record_layer::suite* record_layer::find(const SSL_CIPHER* negotiated) noexcept {
  return find_suite(negotiated);
}

record_layer::direction::~direction() {
  OPENSSL_cleanse(secret.data(), secret.size());
  OPENSSL_cleanse(key.data(), key.size());
}

/// Derives what protects records from the secret (RFC 8446, 7.3).
void record_layer::direction::use(const suite& agreed) {
  static std::atomic<std::uint64_t> last{0};
  expander from{agreed, {secret.data(), agreed.hash_size}};
  from.expand("key", {key.data(), agreed.key_size});
  from.expand("iv", iv);
  records = 0;
  key_number = last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void record_layer::direction::replace(const suite& agreed) {
  std::array<unsigned char, longest_secret> next{};
  expander{agreed, {secret.data(), agreed.hash_size}}.expand("traffic upd",
                                                             {next.data(), agreed.hash_size});
  std::swap(secret, next);
  OPENSSL_cleanse(next.data(), next.size());
  use(agreed);
}

std::array<unsigned char, 12> record_layer::direction::nonce() const noexcept {
  std::array<unsigned char, 12> made = iv;
  for (std::size_t i = 0; i < 8; ++i) {
    made[made.size() - 1 - i] ^= static_cast<unsigned char>(records >> (8 * i));
  }
  return made;
}

record_layer::record_layer(const suite& agreed, const traffic& ours, const traffic& theirs,
                           std::uint64_t records_per_key)
    : suite_{&agreed}, records_per_key_{records_per_key} {
  for (const auto& [to, from] : {std::pair{&ours_, &ours}, std::pair{&theirs_, &theirs}}) {
    std::copy_n(from->secret.begin(), agreed.hash_size, to->secret.begin());
    to->use(agreed);
    to->records = from->records;
  }
}

// ── what comes ──

record_layer::received record_layer::receive(bytes raw, std::span<std::byte> room,
                                             std::vector<std::byte>& out) {
  received result;
  std::size_t size = 0;
  while (now_ == state::open && !raw.empty()) {
    if (part_.empty() && is_whole(raw, size, out)) {
      result.size += open(raw.first(size), room.subspan(result.size), out);
      raw = raw.subview(size);
      continue;
    }
    if (now_ == state::failed) break;
    // `size` bytes are wanted, or as many as say how many.
    if (!part_.empty()) is_whole(bytes{part_}, size, out);
    const bytes next = raw.first(std::min(raw.size(), size - part_.size()));
    part_.insert(part_.end(), next.begin(), next.end());
    raw = raw.subview(next.size());
    if (!is_whole(bytes{part_}, size, out)) continue;
    const std::vector<std::byte> whole = std::exchange(part_, {});
    result.size += open(bytes{whole}, room.subspan(result.size), out);
  }
  result.now = now_;
  return result;
}

/// Whether `data` begins with a record; `size`: its size, or of its header while that is missing.
bool record_layer::is_whole(bytes data, std::size_t& size, std::vector<std::byte>& out) {
  size = header_size;
  if (data.size() < header_size) return false;
  const unsigned char* const header = raw(data.data());
  const std::size_t body = std::size_t{header[3]} << 8U | header[4];
  if (header[0] != SSL3_RT_APPLICATION_DATA) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, "a record that is not protected", out);
    return false;
  }
  if (body > most_protected) {
    fail(SSL_AD_RECORD_OVERFLOW, "a record is too long", out);
    return false;
  }
  size += body;
  return data.size() >= size;
}

/// How many bytes of application data it had.
std::size_t record_layer::open(bytes record, std::span<std::byte> room,
                               std::vector<std::byte>& out) {
  const bytes body = record.subview(header_size);
  if (body.size() <= tag_size ||
      !decrypt(*suite_, {theirs_.key_number, theirs_.key, theirs_.nonce()},
               record.first(header_size), body, raw(room.data()))) {
    fail(SSL_AD_BAD_RECORD_MAC, "a record was forged, or damaged on its way", out);
    return 0;
  }
  ++theirs_.records;
  std::size_t size = body.size() - tag_size;
  while (size != 0 && room[size - 1] == std::byte{0}) --size;  // padding
  if (size == 0) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, "a record of no type", out);
    return 0;
  }
  const auto type = std::to_integer<std::uint8_t>(room[--size]);
  const bytes content{room.first(size)};
  if (size > most_content) {
    fail(SSL_AD_RECORD_OVERFLOW, "a record is too long", out);
    return 0;
  }
  if (type == SSL3_RT_APPLICATION_DATA && message_size_ == 0) {
    if (size != 0) without_data_ = 0;
    return size;
  }
  if (type == SSL3_RT_ALERT) {
    on_alert(content, out);
  } else if (type == SSL3_RT_HANDSHAKE && size != 0) {
    on_message(content, out);
  } else {
    fail(SSL_AD_UNEXPECTED_MESSAGE, "a record out of its order", out);
  }
  if (now_ == state::open && ++without_data_ > most_without_data) {
    fail(SSL_AD_UNEXPECTED_MESSAGE, "too many KeyUpdate messages without data", out);
  }
  return 0;
}

void record_layer::on_alert(bytes content, std::vector<std::byte>& out) {
  if (content.size() != 2 || message_size_ != 0) {
    return fail(SSL_AD_UNEXPECTED_MESSAGE, "an alert that is none", out);
  }
  const int alert = std::to_integer<int>(content.data()[1]);
  if (alert == SSL_AD_USER_CANCELLED) return;
  if (alert == SSL_AD_CLOSE_NOTIFY) {
    now_ = state::ended;
  } else {
    now_ = state::failed;
    failure_ = SSL_alert_desc_string_long(alert);
  }
}

/// KeyUpdate is all that a client may send. It ends its record: the next has another key.
void record_layer::on_message(bytes content, std::vector<std::byte>& out) {
  for (const std::byte each : content) {
    if (message_size_ >= message_.size()) {
      return fail(SSL_AD_UNEXPECTED_MESSAGE, "a message after the handshake", out);
    }
    message_[message_size_++] = std::to_integer<std::uint8_t>(each);
  }
  static constexpr std::array<std::uint8_t, 4> key_update{SSL3_MT_KEY_UPDATE, 0, 0, 1};
  const std::size_t known = std::min<std::size_t>(message_size_, key_update.size());
  if (!std::equal(message_.begin(), message_.begin() + known, key_update.begin())) {
    return fail(SSL_AD_UNEXPECTED_MESSAGE, "a message after the handshake", out);
  }
  if (message_size_ < message_.size()) return;
  message_size_ = 0;
  const std::uint8_t requested = message_.back();
  if (requested > SSL_KEY_UPDATE_REQUESTED) {
    return fail(SSL_AD_ILLEGAL_PARAMETER, "a KeyUpdate that is none", out);
  }
  theirs_.replace(*suite_);
  if (requested == SSL_KEY_UPDATE_REQUESTED && !sent_end_) update_own_key(out);
}

// ── what leaves ──

void record_layer::send(bytes data, std::vector<std::byte>& out) {
  const std::size_t records = (data.size() + most_content - 1) / most_content;
  out.reserve(out.size() + data.size() + records * (header_size + 1 + tag_size));
  while (!data.empty()) {
    if (ours_.records >= records_per_key_) update_own_key(out);
    const bytes next = data.first(std::min(data.size(), most_content));
    seal(SSL3_RT_APPLICATION_DATA, next, out);
    data = data.subview(next.size());
  }
}

void record_layer::end(std::vector<std::byte>& out) {
  if (std::exchange(sent_end_, true)) return;
  static constexpr std::array alert{std::byte{SSL3_AL_WARNING}, std::byte{SSL_AD_CLOSE_NOTIFY}};
  seal(SSL3_RT_ALERT, bytes{alert}, out);
}

void record_layer::update_own_key(std::vector<std::byte>& out) {
  static constexpr std::array message{std::byte{SSL3_MT_KEY_UPDATE}, std::byte{0}, std::byte{0},
                                      std::byte{1}, std::byte{SSL_KEY_UPDATE_NOT_REQUESTED}};
  seal(SSL3_RT_HANDSHAKE, bytes{message}, out);
  ours_.replace(*suite_);
}

void record_layer::seal(std::uint8_t type, bytes content, std::vector<std::byte>& out) {
  const auto header = header_of(content.size() + 1 + tag_size);
  out.insert(out.end(), header.begin(), header.end());
  const std::size_t at = out.size();
  out.resize(at + content.size() + 1 + tag_size);
  if (!encrypt(*suite_, {ours_.key_number, ours_.key, ours_.nonce()}, bytes{header}, content, type,
               raw(out.data() + at))) {
    out.resize(at - header_size);
    throw std::bad_alloc{};  // nothing else can go wrong
  }
  ++ours_.records;
}

void record_layer::fail(std::uint8_t alert, std::string_view why, std::vector<std::byte>& out) {
  now_ = state::failed;
  failure_ = why;
  if (std::exchange(sent_end_, true)) return;
  const std::array content{std::byte{SSL3_AL_FATAL}, std::byte{alert}};
  seal(SSL3_RT_ALERT, bytes{content}, out);
}

}  // namespace dwell::inline v0
