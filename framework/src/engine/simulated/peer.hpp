#pragma once

#include "engine/simulated/network.hpp"

#include <string_view>

namespace dwell::inline v0 {

/// The client's application at its end of a connection: sends what it is told, reads what comes,
/// and closes when the server has. A short-lived handle: what it remembers is in the connection.
class simulated_peer {
 public:
  simulated_peer(network& net, tcp_connection& c) noexcept : network_{&net}, connection_{&c} {}

  /// Queues bytes; they leave as the socket takes them.
  void send(std::string_view data);
  /// FIN after what is queued.
  void shutdown_send();
  /// Closes after what is queued; resets, as any socket, if something is unread.
  void close();
  void reset();
  void vanish();
  /// Off: what comes fills the receive buffer, and the window closes.
  void read(bool on);
  void close_at_end(bool on) { state().closes_at_end = on; }
  void close_after(std::size_t bytes) { data().closes_after = bytes; }

  std::string_view received() const noexcept;
  std::string take_received();

  /// Whatever its socket is ready for. The network's to call.
  void run_turn();

 private:
  peer_state& state() const noexcept { return connection_->peer; }
  peer_data& data();
  bool is_over() const noexcept { return !(*connection_)[side::client].held; }
  bool flush();
  void read_all();
  bool read_once();
  void lose(std::ptrdiff_t error);

  network* network_;
  tcp_connection* connection_;
};

}  // namespace dwell::inline v0
