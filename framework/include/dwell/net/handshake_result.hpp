#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// How a TLS handshake ended. One that took too long is a connection closed as `handshake_timeout`.
enum class handshake_result : std::uint8_t {
  full,     ///< with a signature
  resumed,  ///< from a ticket
  failed,   ///< either end refused
};

inline constexpr std::size_t handshake_result_count = 3;

constexpr std::string_view to_string(handshake_result result) noexcept {
  constexpr std::string_view names[handshake_result_count] = {"full", "resumed", "failed"};
  return names[static_cast<std::size_t>(result)];
}

}  // namespace dwell::inline v0
