#pragma once

#include <dwell/closing/close_reason.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// How a connection leaves, which decides where TIME_WAIT ends up. A method is a request: the
/// close_record says what happened. All are bounded by deadlines.close and TCP_USER_TIMEOUT.
enum class close_method : std::uint8_t {
  /// FIN first: TIME_WAIT here. Server-side TIME_WAIT costs 256 B of kernel memory, no descriptor
  /// and no port, so this is the default almost everywhere.
  graceful,
  /// Announce the end, then wait for the peer's FIN: TIME_WAIT there. Needs a protocol that can
  /// announce (HTTP's `Connection: close`); without one it becomes `graceful`, and is recorded so.
  peer_first,
  /// FIN after all data, and TCP_LINGER2 = -1 makes the kernel reset what follows: TIME_WAIT
  /// nowhere. Delivered unless the peer sends more; gives up what RFC 1337 warns about.
  abort_after_fin,
  /// RST now (SO_LINGER of 0): unsent and unacknowledged data is lost, TIME_WAIT nowhere.
  abort,
};

inline constexpr std::size_t close_method_count = 4;

constexpr std::string_view to_string(close_method method) noexcept {
  constexpr std::string_view names[close_method_count] = {"graceful", "peer_first",
                                                          "abort_after_fin", "abort"};
  return names[static_cast<std::size_t>(method)];
}

/// The close method for each kind of reason. Endings that the peer chose (peer_closed, peer_reset,
/// peer_vanished) leave nothing to choose.
struct close_plan {
  /// finished. The client of a server that closes first keeps its ports.
  close_method finished = close_method::graceful;
  /// idle_timeout and lifetime. `graceful` is in the lingering form, so that a request which
  /// crosses our FIN is counted and not reset. `peer_first` is refused at construction unless the
  /// handler announces.
  close_method idle = close_method::graceful;
  /// handshake_timeout, read_timeout, handle_timeout. The peer learns of an orderly end; a read
  /// timeout is always in the lingering form, since the rest of the message may come.
  close_method slow = close_method::graceful;
  /// write_timeout. A peer that does not read will not read our FIN either.
  close_method stalled = close_method::abort;
  /// overload. Frees everything at once, which is the point.
  close_method overload = close_method::abort;
  /// drain. A second signal aborts.
  close_method drain = close_method::graceful;
  /// protocol_error. Always in the lingering form, so that an error message arrives.
  close_method protocol_error = close_method::graceful;
  /// handler_failed. A cut answer must not look like a finished one.
  close_method handler_failed = close_method::abort;

  friend bool operator==(const close_plan&, const close_plan&) = default;

  /// The method planned for a reason; `graceful` for endings that the peer chose.
  constexpr close_method method_for(close_reason reason) const noexcept {
    switch (reason) {
      case close_reason::finished: return finished;
      case close_reason::idle_timeout:
      case close_reason::lifetime: return idle;
      case close_reason::handshake_timeout:
      case close_reason::read_timeout:
      case close_reason::handle_timeout: return slow;
      case close_reason::write_timeout: return stalled;
      case close_reason::overload: return overload;
      case close_reason::drain: return drain;
      case close_reason::protocol_error: return protocol_error;
      case close_reason::handler_failed: return handler_failed;
      case close_reason::peer_closed:
      case close_reason::peer_reset:
      case close_reason::peer_vanished: break;
    }
    return close_method::graceful;
  }
};

}  // namespace dwell::inline v0
