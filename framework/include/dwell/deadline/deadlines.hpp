#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// Every length of time in Dwell. Finer literals (`5us`) do not compile: the loop's tick is 1 ms.
using duration = std::chrono::milliseconds;

/// Switches a deadline off. Not a length of time: do not calculate with it.
inline constexpr duration off = duration::max();

/// What a connection is doing, and therefore which deadline counts. Exactly one at any time.
enum class phase : std::uint8_t {
  handshake,  ///< PROXY header, TLS: until both sides have finished
  idle,       ///< nothing buffered, owed to the peer, or unacknowledged by it
  read,       ///< from the first byte of a message to its last
  handle,     ///< from the delivery of a message until the handler asks for more
  write,      ///< output is queued, or sent and not yet acknowledged
  close,      ///< our FIN is sent or about to be; waiting for the peer's side
};

inline constexpr std::size_t phase_count = 6;

/// The name as written in the enumeration; "unknown" for a value outside it.
constexpr std::string_view to_string(phase value) noexcept {
  switch (value) {
    case phase::handshake: return "handshake";
    case phase::idle: return "idle";
    case phase::read: return "read";
    case phase::handle: return "handle";
    case phase::write: return "write";
    case phase::close: return "close";
  }
  return "unknown";
}

/// How long a connection may stay in each phase, and in all.
///
/// Milliseconds, 1 ms to 24 days each (a tick is 32 bits wide and is compared by signed
/// difference); `dwell::off` switches one off. Never early by the loop's clock; late by at most one
/// tick and the reaper's budget. A plain value, copied into the server when it is constructed,
/// which is also when a value out of bounds throws `std::invalid_argument`, naming field, value and
/// fix.
struct deadlines {
  /// Default 10 s: two round trips, and room for a few retransmissions of a lost segment (1, 3 and
  /// 7 s after the first: RFC 6298). An unfinished handshake costs the most memory of all phases.
  duration handshake = std::chrono::seconds{10};

  /// Default 60 s, restarted by each byte: clients pause between requests, and one that has left
  /// without a FIN (NAT, sleep, roaming) must not hold a slot for long.
  duration idle = std::chrono::seconds{60};

  /// Default 10 s, absolute: bytes do not postpone it, so that one byte now and then (a slow
  /// request attack) does not hold a connection.
  duration read = std::chrono::seconds{10};

  /// Default 30 s, absolute: what a peer is usually ready to wait for. It stops while the
  /// connection is in `phase::write`: a slow reader is not the handler's fault.
  duration handle = std::chrono::seconds{30};

  /// Default 30 s, restarted by each byte that the peer acknowledges: slow readers stay, stalled
  /// ones go. The kernel does not tell of acknowledgements; it is asked eight times in that span,
  /// so this one may be late by an eighth.
  duration write = std::chrono::seconds{30};

  /// Default 5 s: one round trip, and two retransmissions of a lost FIN. Also how long a handler
  /// may hold a connection that its peer has closed, or a frame that has outlived one, unnamed.
  duration close = std::chrono::seconds{5};

  /// Default off. From accept; jittered by 10 % so that connections made together do not end
  /// together; takes effect after the current exchange. For rebalancing behind a load balancer.
  duration lifetime = off;

  friend bool operator==(const deadlines&, const deadlines&) = default;

  /// The deadline that counts in `which`. `dwell::off` when it is switched off.
  constexpr duration of(phase which) const noexcept {
    switch (which) {
      case phase::handshake: return handshake;
      case phase::idle: return idle;
      case phase::read: return read;
      case phase::handle: return handle;
      case phase::write: return write;
      case phase::close: return close;
    }
    return off;
  }
};

}  // namespace dwell::inline v0
