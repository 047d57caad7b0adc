#pragma once

#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <cstddef>
#include <string>

namespace dwell {

/// Clients that send a second request at a moment swept over 5 ms on either side of the instant
/// their connection's idle deadline passes, without looking for a FIN first. On a busy machine that
/// instant is found by how many are answered.
struct reap_sweep {
  handler what;
  std::string request;  ///< every answer is as long as the first
  duration idle{1'000};
  close_method method = close_method::graceful;
  wire over = wire::plain;
  std::size_t tries = 2'000;
  /// The server's process is stopped for two seconds, so that deadlines and requests come due
  /// together. Half of the requests are sent around their deadline, while it is stopped; half
  /// from 5 ms before until 35 ms after it goes on.
  bool stalled = false;
  /// Every other client keeps to `Keep-Alive: timeout`, sending in the last 10 ms it allows.
  bool half_keep_to_timeout = false;
};

/// Runs it in a network of its own, which is watched packet by packet, and checks that
/// - no client sees a reset before our FIN, and with `graceful` our FIN is never
///   followed by one on the wire;
/// - every request is answered, counted in reap_raced, or came to the server's host after our FIN;
///   with `graceful` it is answered or counted, wherever our FIN was;
/// - every request that was there when a stopped server went on is answered;
/// - every client that keeps to `Keep-Alive: timeout` is answered.
/// Prints how many there were of each.
void run(const reap_sweep& sweep);

}  // namespace dwell
