#pragma once

#include "matrix/cells.hpp"
#include "support/two_networks.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

namespace dwell {

/// A cell, and what became of its connections.
struct cell_run {
  matrix_cell cell;
  std::deque<trial> trials;
  /// From the last request until nothing but TIME_WAIT was left of them on the server.
  duration gone_after{};
  bool gone = false;  ///< nothing but TIME_WAIT is left on either side
};

/// One peer against every form in both modes, `trials` connections each, all at the same time.
std::deque<cell_run> run_peer(const two_networks& networks, const peer_behaviour& peer, wire over,
                              std::size_t trials);

}  // namespace dwell
