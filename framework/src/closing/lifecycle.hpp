#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell {

// snippet: states
/// How a connection ends, as a pure table: states × events → the next state and what to do. It
/// knows no sockets, no clock and no handler; the closing calls it drives are those of
/// close_method.
enum class lifecycle_state : std::uint8_t {
  open,                     ///< both directions
  peer_closed,              ///< the peer's FIN came; sending goes on (RFC 9293 CLOSE_WAIT)
  send_closed,              ///< our FIN is out by half-close; receiving goes on (FIN_WAIT)
  flushing,                 ///< the end is decided; output still leaves
  flushing_to_peer_closed,  ///< the same, and the peer's FIN came
  settling,                 ///< output is in the kernel; waits for most of it to be acknowledged
  lingering,                ///< our FIN is out; input is discarded until the peer's FIN
  awaiting_peer,  ///< the end was announced; waits for the peer's FIN without sending ours
  closed,         ///< the descriptor is released
};
// end snippet
inline constexpr std::size_t lifecycle_state_count = 9;

enum class lifecycle_event : std::uint8_t {
  peer_fin,           ///< end of input
  peer_lost,          ///< RST, or the kernel gave up on the peer
  half_close,         ///< the handler's shutdown_send, its output flushed
  close,              ///< the end is decided, by any method but abort
  abort,              ///< the end is decided: reset
  flushed_direct,     ///< all output is in the kernel, and close() may follow at once
  flushed_unsettled,  ///< all output is in the kernel, but too much unacknowledged for a direct
                      ///< abort_after_fin
  flushed_lingering,  ///< all output is in the kernel, and more input may come
  flushed_announced,  ///< all output is in the kernel, the announcement among it
  deadline,           ///< the close deadline passed
};
inline constexpr std::size_t lifecycle_event_count = 10;

enum class lifecycle_action : std::uint8_t {
  none,
  tell_handler,               ///< the peer will send no more
  send_fin,                   ///< shutdown(SHUT_WR)
  flush,                      ///< push the output out, then report one of the flushed_* events
  poll_unacknowledged,        ///< ask the kernel until it has little left
  send_fin_and_discard,       ///< shutdown(SHUT_WR), then read and discard
  discard,                    ///< read and discard: our FIN is out already
  release,                    ///< close() as planned
  release_without_time_wait,  ///< drain, TCP_LINGER2 = -1, close()
  reset,                      ///< SO_LINGER of 0, close()
};

struct lifecycle_step {
  lifecycle_state next;
  lifecycle_action action;
};

lifecycle_step next_step(lifecycle_state state, lifecycle_event event) noexcept;

std::string_view to_string(lifecycle_state state) noexcept;
std::string_view to_string(lifecycle_event event) noexcept;

}  // namespace dwell
