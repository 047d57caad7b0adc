#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// Where a socket is. A value.
struct endpoint {
  /// An IPv4 or IPv6 literal (no host names: binding must not wait for a resolver), `unix:` and a
  /// path of at most 107 bytes, or empty: every address, IPv6 and IPv4 on one socket (IPv4 alone
  /// where the kernel has no IPv6). To listen also `fd:` and the number of a descriptor that
  /// listens already: systemd's, or that of the process before this one. It is taken over.
  std::string address;
  /// 0 lets the kernel choose a free one when listening. Not used by Unix sockets.
  std::uint16_t port = 0;

  bool is_unix() const noexcept { return address.starts_with("unix:"); }
  bool is_descriptor() const noexcept { return address.starts_with("fd:"); }
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// "127.0.0.1:80", "[::1]:80", "unix:/run/echo.sock", "fd:3"; what parse_endpoint reads.
std::string to_string(const endpoint& where);

/// Reads "ADDR:PORT", "[ADDR]:PORT", ":PORT", "unix:PATH", "fd:NUMBER". Throws
/// std::invalid_argument naming the text and what was expected.
endpoint parse_endpoint(std::string_view text);

}  // namespace dwell::inline v0
