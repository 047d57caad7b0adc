#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// Why a connection ended. Every connection ends with exactly one of these.
enum class close_reason : std::uint8_t {
  finished,           ///< the handler returned or called close(), or `exchanges` was reached
  idle_timeout,       ///< deadlines.idle passed without a byte
  lifetime,           ///< deadlines.lifetime passed; took effect between two exchanges
  handshake_timeout,  ///< deadlines.handshake passed
  read_timeout,       ///< deadlines.read passed with a message half received
  handle_timeout,     ///< deadlines.handle passed with an answer owed
  write_timeout,  ///< deadlines.write passed without an acknowledged byte, or limits.output reached
  overload,       ///< a limit was reached, and this connection made room or was not let in
  drain,          ///< the server is draining, or its operator has closed this one
  protocol_error,  ///< the peer broke the protocol, or sent a message above limits.message
  handler_failed,  ///< the handler threw, or a file it sends cannot be read to its end
  peer_closed,     ///< the peer sent FIN first, and nothing was left to do
  peer_reset,      ///< the peer sent RST
  peer_vanished,   ///< the kernel gave up on the peer (ETIMEDOUT, EHOSTUNREACH, …)
};

inline constexpr std::size_t close_reason_count = 14;

constexpr std::string_view to_string(close_reason reason) noexcept {
  constexpr std::string_view names[close_reason_count] = {
      "finished",     "idle_timeout",   "lifetime",       "handshake_timeout",
      "read_timeout", "handle_timeout", "write_timeout",  "overload",
      "drain",        "protocol_error", "handler_failed", "peer_closed",
      "peer_reset",   "peer_vanished"};
  return names[static_cast<std::size_t>(reason)];
}

}  // namespace dwell::inline v0
