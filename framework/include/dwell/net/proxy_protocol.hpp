#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

/// PROXY protocol, version 1 or 2: a proxy says first whom it speaks for, and that is the
/// connection's peer then. See docs/proxy-protocol.md; source: haproxy's doc/proxy-protocol.txt.
///
/// There is no guessing: whoever is in `from` has to send the header, and whoever is not is refused
/// before a byte is read, since it could say that it is anybody.
struct proxy_protocol_options {
  /// The proxies, at least one: addresses ("10.0.0.7", "fd00::7"), networks ("10.0.0.0/24"), or
  /// "unix:" for all who may open the Unix socket that the service listens on.
  std::vector<std::string> from;
  /// From accept to the header's last byte; 1 ms to 24 days, or `off`. Beyond it the connection
  /// ends as `handshake_timeout`. 5 s: a lost segment comes again after 1 and 3 s (RFC 6298), and
  /// the protocol asks for 3 s at least.
  duration deadline = std::chrono::seconds{5};
};

/// What became of a connection that had to begin with a PROXY header, once that was clear. One that
/// took too long is closed as `handshake_timeout`.
enum class proxy_header_result : std::uint8_t {
  client,  ///< it names a client, whose address the connection has
  own,     ///< the proxy speaks for itself (LOCAL, as for health checks) or does not say (UNKNOWN)
  malformed,  ///< it is none: closed as `protocol_error`
  untrusted,  ///< not from a configured proxy: refused
};

inline constexpr std::size_t proxy_header_result_count = 4;

constexpr std::string_view to_string(proxy_header_result result) noexcept {
  constexpr std::string_view names[proxy_header_result_count] = {"client", "own", "malformed",
                                                                 "untrusted"};
  return names[static_cast<std::size_t>(result)];
}

}  // namespace dwell::inline v0
