#pragma once

#include "networks.hpp"
#include "segment.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

/// All that joins the two networks. It holds every segment until it is told to deliver it, so that
/// each step of a connection can be looked at; in between, time stands still but for the
/// retransmissions, which it drops.
class wire {
 public:
  explicit wire(const networks& joined);
  wire(const wire&) = delete;
  wire& operator=(const wire&) = delete;
  ~wire();

  /// Forgets what it holds, and looks only at connections with these ports from now on.
  void carry(std::uint16_t client_port, std::uint16_t server_port);
  /// Waits until it holds a segment of that side with those flags ("SYN, ACK"). Throws
  /// std::runtime_error when none comes.
  void await(side from, std::string_view flags);
  /// The same, and hands the segment to the other side.
  void deliver(side from, std::string_view flags);

 private:
  std::vector<segment>::iterator find(side from, std::string_view flags);
  void receive(side from, int descriptor);
  bool carries(const segment& one) const noexcept;

  int client_;  ///< packet sockets on the devices that lead to each side
  int server_;
  std::uint16_t client_port_ = 0;
  std::uint16_t server_port_ = 0;
  std::vector<segment> held_;
  std::vector<segment> delivered_;
};
