#pragma once

#include "base/byte_queue.hpp"
#include "engine/simulated/peer_state.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <netinet/tcp.h>
#include <vector>

namespace dwell::inline v0 {

enum class side : std::uint8_t { server, client };
constexpr side other(side which) noexcept {
  return which == side::server ? side::client : side::server;
}

/// What travels. In order in each direction: a lost segment holds back those behind it.
struct segment {
  byte_queue payload;
  std::uint32_t acknowledges = 0;  ///< bytes
  std::uint32_t window = 0;        ///< valid in an acknowledgement
  bool is_acknowledgement = false;
  bool acknowledges_fin = false;
  bool fin = false;
  bool reset = false;
  std::uint64_t sent = 0;     ///< for the last time: lost before
  std::uint64_t arrives = 0;  ///< then
};

/// One direction of a connection, while there is something in it.
struct tcp_flow {
  byte_queue unsent;                 // in the sender's buffer
  byte_queue unread;                 // in the receiver's buffer
  std::vector<segment> wire;         // on the way, the oldest first
  std::uint32_t unacknowledged = 0;  // bytes that have left the sender
  std::uint32_t window = 0;          // as the sender knows it
  std::uint32_t advertised = 0;      // as the receiver said last
};

/// One end's socket.
struct tcp_end {
  std::unique_ptr<tcp_flow> out;
  std::uint32_t since = 0;              // when the state was entered; ms of the network's time
  std::uint32_t outstanding_since = 0;  // progress last made with what is not acknowledged
  std::int16_t error = 0;               // SO_ERROR
  std::uint8_t state = TCP_ESTABLISHED;
  bool held : 1 = true;         // a descriptor is open
  bool fin_queued : 1 = false;  // shutdown or close was called
  bool fin_sent : 1 = false;    // and the FIN has left
  bool fin_received : 1 = false;
  bool corked : 1 = false;        // TCP_CORK
  bool no_time_wait : 1 = false;  // TCP_LINGER2 = -1
  bool timer_runs : 1 = false;    // an event for outstanding_since is scheduled
  bool cork_timer_runs : 1 = false;
  bool time_wait : 1 = false;  // was entered, and not ended by a reset

  /// The peer would not learn of the end otherwise (tcp_need_reset() of Linux).
  bool needs_reset() const noexcept {
    return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 ||
           state == TCP_FIN_WAIT2;
  }
};

/// The client's end where an engine has it, and not a simulated peer.
struct engine_client {
  std::uint16_t host = 0;
  std::uint16_t port = 0;  // where it connects to
  std::uint32_t slot = 0;  // the engine's names for it
  std::uint32_t generation = 0;
  std::uint64_t user_timeout = 0;  // ms; 0: off
  bool noticed = false;
};

/// A connection of the simulated network, both ends. Small, because tests hold a million of them.
struct tcp_connection {
  std::array<tcp_end, 2> ends;
  peer_state peer;  // what the client's application does
  std::unique_ptr<engine_client> caller;
  std::uint32_t index = 0;
  std::uint32_t accepted_at = 0;  // ms of the network's time
  std::uint32_t released_at = 0;
  std::uint32_t heard_at = 0;  // the last segment from the client
  std::uint32_t slot = 0;      // the server's names for it
  std::uint32_t generation = 0;
  std::uint16_t listener = 0;
  std::uint16_t host = 0;  // whose loop the server's end is on
  bool accepted : 1 = false;
  bool released : 1 = false;
  bool vanished : 1 = false;  // nothing gets through any more
  bool noticed : 1 = false;   // on its engine's ready list

  tcp_end& operator[](side which) noexcept { return ends[static_cast<std::size_t>(which)]; }
  const tcp_end& operator[](side which) const noexcept {
    return ends[static_cast<std::size_t>(which)];
  }
};

static_assert(sizeof(tcp_connection) <= 150);

}  // namespace dwell::inline v0
