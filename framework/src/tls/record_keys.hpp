#pragma once

#include <dwell/base/bytes.hpp>

#include "tls/record_layer.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace dwell::inline v0 {

/// What a cipher suite of TLS 1.3 consists of, fetched from OpenSSL once.
struct record_layer::suite {
  std::uint16_t number;  // IANA's
  const char* cipher;
  const char* digest;
  std::size_t key_size;
  std::size_t hash_size;
};

/// Null: none that is known, or this OpenSSL has it not.
const record_layer::suite* find_suite(const SSL_CIPHER* negotiated) noexcept;

/// HKDF-Expand-Label with an empty context, of one secret (RFC 8446, 7.1). One at a time of a
/// thread. Throws std::bad_alloc.
class expander {
 public:
  expander(const record_layer::suite& with, std::span<const unsigned char> secret);
  /// As long as the hash, at most.
  void expand(std::string_view label, std::span<unsigned char> into);

 private:
  EVP_MAC_CTX* mac_;
  std::span<const unsigned char> secret_;
};

struct record_key {
  std::uint64_t number;  ///< the same for the same key only
  std::span<const unsigned char> key;
  std::array<unsigned char, 12> nonce;
};

/// `body` ends with the tag; without it, it is written to `into`. False: it does not fit.
bool decrypt(const record_layer::suite& with, const record_key& key, bytes header, bytes body,
             unsigned char* into) noexcept;
/// Writes the content, its type and the tag to `into`.
bool encrypt(const record_layer::suite& with, const record_key& key, bytes header, bytes content,
             std::uint8_t type, unsigned char* into) noexcept;

}  // namespace dwell::inline v0
