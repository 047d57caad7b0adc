#include "http/utf8.hpp"

#include <cstring>

namespace dwell::http {

bool utf8_validator::accept(bytes more) noexcept {
  const std::byte* at = more.begin();
  while (at != more.end()) {
    if (missing_ == 0) {
      at = skip_ascii(at, more.end());
      if (at == more.end()) break;
      if (!begin_character(static_cast<std::uint8_t>(*at++))) return false;
    } else {
      const auto next = static_cast<std::uint8_t>(*at++);
      if (next < least_ || next > most_) return false;
      least_ = 0x80;
      most_ = 0xBF;
      --missing_;
    }
  }
  return true;
}

const std::byte* utf8_validator::skip_ascii(const std::byte* from,
                                            const std::byte* end) const noexcept {
  constexpr std::uint64_t beyond_ascii = 0x8080808080808080U;
  for (std::uint64_t eight; end - from >= 8; from += 8) {
    std::memcpy(&eight, from, 8);
    if ((eight & beyond_ascii) != 0) break;
  }
  while (from != end && static_cast<std::uint8_t>(*from) < 0x80) ++from;
  return from;
}

/// What may follow a first byte, so that nothing is written longer than it need be, no surrogates,
/// and nothing beyond U+10FFFF.
bool utf8_validator::begin_character(std::uint8_t first) noexcept {
  if (first < 0xC2 || first > 0xF4) return false;
  missing_ = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  switch (first) {
    case 0xE0: least_ = 0xA0; break;
    case 0xED: most_ = 0x9F; break;
    case 0xF0: least_ = 0x90; break;
    case 0xF4: most_ = 0x8F; break;
    default: break;
  }
  return true;
}

}  // namespace dwell::http
