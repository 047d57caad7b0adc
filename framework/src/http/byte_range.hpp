#pragma once

#include <cstdint>
#include <string_view>

namespace dwell::http {

/// What a Range field asks of a representation (RFC 9110, 14.2).
struct byte_range {
  enum class kind : std::uint8_t {
    whole,          ///< all of it: the field is malformed, of another unit, or names several ranges
    part,           ///< `size` bytes from `first`, at least one
    unsatisfiable,  ///< nothing of it: 416
  };
  kind what = kind::whole;
  std::uint64_t first = 0;
  std::uint64_t size = 0;
};

/// Of a representation of `length` bytes.
byte_range read_range(std::string_view field, std::uint64_t length) noexcept;

}  // namespace dwell::http
