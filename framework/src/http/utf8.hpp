#pragma once

#include <dwell/base/bytes.hpp>

#include <cstdint>

namespace dwell::http {

/// Whether bytes are UTF-8 (RFC 3629, 4), as they come: the verdict is that about the first byte
/// that can be part of no character, however the text is split.
class utf8_validator {
 public:
  /// False: it is none, and nothing that follows makes it so.
  bool accept(bytes more) noexcept;
  /// No character is cut where it ends.
  bool is_complete() const noexcept { return missing_ == 0; }

 private:
  const std::byte* skip_ascii(const std::byte* from, const std::byte* end) const noexcept;
  bool begin_character(std::uint8_t first) noexcept;

  std::uint8_t missing_ = 0;   // bytes of the character that has begun
  std::uint8_t least_ = 0x80;  // what the next of them is at least, and at most
  std::uint8_t most_ = 0xBF;
};

}  // namespace dwell::http
