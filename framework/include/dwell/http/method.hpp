#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::http {

/// The methods of RFC 9110 and RFC 5789.
enum class method : std::uint8_t { get, head, post, put, patch, delete_, options, trace, connect };

inline constexpr std::size_t method_count = 9;

constexpr std::string_view to_string(method which) noexcept {
  constexpr std::array<std::string_view, method_count> names{
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};
  return names[static_cast<std::size_t>(which)];
}

}  // namespace dwell::http
