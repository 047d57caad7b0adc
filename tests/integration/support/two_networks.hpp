#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dwell {

/// TCP sockets of one port by state, the numbers of RFC 9293's states in <netinet/tcp.h>.
using state_counts = std::array<std::size_t, 16>;

/// Sockets with this local or remote port in the calling thread's network, listeners apart.
state_counts count_states(std::uint16_t port);

/// Two fresh network namespaces joined by a veth pair, so that each keeps its own TIME_WAITs and
/// nothing is shortened as on loopback (net.ipv4.tcp_tw_reuse). The thread that runs the test is in
/// the server's.
class two_networks {
 public:
  static constexpr const char* server_address = "10.77.0.1";
  static constexpr const char* client_address = "10.77.0.2";

  /// Runs `body` in the client's network, on a thread of its own, and waits for it.
  void on_client_side(const std::function<void()>& body) const;

  /// From now on the client's network drops what comes from or goes to these ports, so that its end
  /// has vanished; none: nothing is dropped any more. Returns why not, or nothing.
  std::string drop_on_client_side(const std::vector<std::uint16_t>& ports) const;

  struct both_sides {
    state_counts server;
    state_counts client;
  };
  /// Both ends once no connection of `port` is between established and gone any more.
  both_sides settled(std::uint16_t port) const;

 private:
  friend void in_two_networks(const std::function<void(two_networks&)>& part);
  explicit two_networks(int client_side) noexcept : client_side_{client_side} {}
  int client_side_;  // descriptor of the client's namespace
};

/// Runs a part of a test in a child process with networks of its own. Skips the test, saying why,
/// where the system does not let us make them.
void in_two_networks(const std::function<void(two_networks&)>& part);

}  // namespace dwell
