#pragma once

#include <dwell/base/bytes.hpp>

#include "net/socket_address.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace dwell::inline v0 {

/// The header that a proxy sends first (haproxy's doc/proxy-protocol.txt, versions 1 and 2).
struct proxy_header {
  /// With its additions (TLVs); nginx has the same bound. The protocol's own is 65,551.
  static constexpr std::size_t longest = 4096;

  enum class progress : std::uint8_t {
    incomplete,  ///< it may become one
    complete,
    malformed,  ///< it cannot become one; failure says why
  };
  progress now = progress::incomplete;
  std::size_t size = 0;  ///< complete: how many bytes it is
  /// Complete: whom the proxy speaks for; nothing: itself, or somebody it does not name.
  std::optional<socket_address> client{};
  std::string_view failure{};
};

/// Reads what a connection begins with, from its first byte. What follows the header is not looked
/// at.
proxy_header read_proxy_header(bytes begin) noexcept;

}  // namespace dwell::inline v0
