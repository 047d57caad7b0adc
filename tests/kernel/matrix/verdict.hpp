#pragma once

#include "matrix/run.hpp"

#include <array>
#include <cstddef>
#include <string>

namespace dwell {

/// The trials of one cell, counted.
struct cell_counts {
  std::size_t trials = 0;
  // What the kernel has in the end, and in between.
  std::size_t here = 0;
  std::size_t there = 0;
  std::size_t both = 0;
  std::size_t nowhere = 0;
  std::size_t orphans = 0;  ///< seen in FIN_WAIT_2
  // What the records say.
  std::array<std::size_t, time_wait_count> recorded{};
  std::size_t observed = 0;
  std::size_t observed_right = 0;
  std::size_t expected = 0;
  std::size_t expected_right = 0;
  std::size_t lingered = 0;
  // What arrived.
  std::size_t complete = 0;
  std::size_t altered = 0;
  std::size_t saw_close_notify = 0;
  std::size_t saw_fin = 0;
  std::size_t saw_reset = 0;

  std::size_t of(placement what) const;
  std::size_t recorded_here() const;
};
cell_counts count(const cell_run& run);

/// Fails the test where a cell is not what it has to be.
void check(const cell_run& run, const cell_counts& counts);

/// Of all cells whose placement is not a race or the peer's doing.
void check_expected(const std::deque<cell_run>& runs);

}  // namespace dwell
