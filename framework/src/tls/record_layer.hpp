#pragma once

#include <dwell/base/bytes.hpp>

#include "tls/openssl.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

/// The records of a TLS 1.3 connection after its handshake, from the server's end (RFC 8446, 5):
/// what is left to do then needs two keys and two counters, not OpenSSL's object of 14 KB. The
/// ciphers are OpenSSL's.
class record_layer {
 public:
  struct suite;
  /// A traffic secret as long as the suite's hash, and how many records it has protected.
  struct traffic {
    std::array<unsigned char, EVP_MAX_MD_SIZE> secret{};
    std::size_t size = 0;
    std::uint64_t records = 0;
  };
  enum class state : std::uint8_t { open, ended, failed };
  struct received {
    state now = state::open;
    std::size_t size = 0;  ///< bytes of application data
  };

  /// Null: not one that this knows.
  static const suite* find(const SSL_CIPHER* negotiated) noexcept;

  /// Throws std::bad_alloc. `records_per_key`: then our key is replaced; 2^24.5 is the bound of
  /// AES-GCM (RFC 8446, 5.5).
  record_layer(const suite& agreed, const traffic& ours, const traffic& theirs,
               std::uint64_t records_per_key = std::uint64_t{1} << 24U);

  /// Takes all of `raw`; `room` has space for it and for the longest record. Alerts and answers to
  /// KeyUpdate are appended to `out`. Throws std::bad_alloc.
  received receive(bytes raw, std::span<std::byte> room, std::vector<std::byte>& out);
  /// Throws std::bad_alloc.
  void send(bytes data, std::vector<std::byte>& out);
  /// close_notify, once.
  void end(std::vector<std::byte>& out);

  bool has_ended() const noexcept { return now_ == state::ended; }
  bool holds_part() const noexcept { return !part_.empty() || message_size_ != 0; }
  /// Valid for ever.
  std::string_view failure() const noexcept { return failure_; }

 private:
  static constexpr std::size_t longest_secret = 48;  // SHA-384
  struct direction {
    ~direction();
    void use(const suite& agreed);
    void replace(const suite& agreed);
    std::array<unsigned char, 12> nonce() const noexcept;

    std::array<unsigned char, longest_secret> secret;
    std::array<unsigned char, 32> key;
    std::array<unsigned char, 12> iv;
    std::uint64_t records = 0;
    std::uint64_t key_number = 0;  // no other key of the process has it
  };

  bool is_whole(bytes data, std::size_t& size, std::vector<std::byte>& out);
  std::size_t open(bytes record, std::span<std::byte> room, std::vector<std::byte>& out);
  void on_alert(bytes content, std::vector<std::byte>& out);
  void on_message(bytes content, std::vector<std::byte>& out);
  void update_own_key(std::vector<std::byte>& out);
  void seal(std::uint8_t type, bytes content, std::vector<std::byte>& out);
  void fail(std::uint8_t alert, std::string_view why, std::vector<std::byte>& out);

  const suite* suite_;
  direction ours_, theirs_;
  std::uint64_t records_per_key_;
  std::vector<std::byte> part_;  // of a record; only while there is one
  std::string_view failure_;
  std::array<std::uint8_t, 5> message_{};  // a KeyUpdate that comes in parts
  std::uint8_t message_size_ = 0;
  std::uint8_t without_data_ = 0;  // records that were for us, since the last for the handler
  state now_ = state::open;
  bool sent_end_ = false;
};

}  // namespace dwell::inline v0
