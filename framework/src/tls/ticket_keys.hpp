#pragma once

#include <dwell/deadline/deadlines.hpp>

#include "tls/openssl.hpp"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

namespace dwell::inline v0 {

/// What session tickets are sealed with. One for all contexts of a service, so that what one of
/// them gave is taken by the next, also after certificates were read again. For any thread.
class ticket_keys {
 public:
  explicit ticket_keys(duration lifetime) noexcept : lifetime_{lifetime} {}

  /// From now on the context's tickets are sealed with these, which must outlive it.
  void seal(SSL_CTX& context);

 private:
  static constexpr std::size_t key_size = 32;
  struct key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, key_size> cipher;
    std::array<unsigned char, key_size> mac;
    std::uint64_t made_at;  // by the loop's clock, ms
  };
  enum class use : std::uint8_t { unknown, current, previous };

  static int on_ticket(SSL* of, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int sealing);
  std::optional<key> current(std::uint64_t now);
  use find(const unsigned char* name, std::uint64_t now, key& found);
  bool rotate(std::uint64_t now);

  duration lifetime_;
  std::mutex mutex_;
  std::optional<key> current_, previous_;
};

}  // namespace dwell::inline v0
