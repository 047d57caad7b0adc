#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>

namespace dwell {

/// The order of a connection's segments on the wire: greater is later, 0 is never.
struct wire_order {
  std::size_t last_data_in = 0;  ///< the server's host got the last data
  std::size_t first_fin = 0;     ///< the server's FIN left
  std::size_t first_reset = 0;   ///< an RST of the server's left
};

/// Watches one server on the loopback device of the calling thread's network, packet by packet:
/// what happened in which order, whatever the two ends believe. Needs CAP_NET_RAW there
/// (packet(7)).
class wire_tap {
 public:
  explicit wire_tap(std::uint16_t server_port);
  wire_tap(const wire_tap&) = delete;
  wire_tap& operator=(const wire_tap&) = delete;
  ~wire_tap();

  /// Stops watching; connections by the client's address. Fails the test when a packet was missed.
  const std::unordered_map<std::string, wire_order>& stop();

 private:
  void run();
  bool take_one();

  int descriptor_;
  std::uint16_t server_port_;
  std::size_t seen_ = 0;
  std::unordered_map<std::string, wire_order> connections_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace dwell
