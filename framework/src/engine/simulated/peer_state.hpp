#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

namespace dwell::inline v0 {

/// What a client has sent or received, once it has.
struct peer_data {
  std::string received;
  std::string outgoing;  // send() was called, the socket has not taken it
  std::size_t outgoing_done = 0;
  /// Closes right after this many bytes, like a client that knows the length of its answer.
  std::size_t closes_after = std::numeric_limits<std::size_t>::max();
};

/// The application at the client's end of a connection.
struct peer_state {
  std::unique_ptr<peer_data> data;
  bool reads : 1 = true;
  bool closes_at_end : 1 = true;  // when it has read the server's FIN
  bool shutdown_asked : 1 = false;
  bool close_asked : 1 = false;
  bool got_end : 1 = false;
  bool turn_scheduled : 1 = false;
  std::int16_t error = 0;  // what its socket reported
};

}  // namespace dwell::inline v0
