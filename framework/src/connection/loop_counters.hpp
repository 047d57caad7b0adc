#pragma once

#include <dwell/connection/turns.hpp>

#include "base/counters.hpp"

#include <array>
#include <atomic>

namespace dwell::inline v0 {

/// What a loop counts whatever the service: written by the loop, read by any thread.
struct loop_counters {
  counter accept_failed;
  counter connected;  ///< outbound
  counter connect_failed;
  counter reaped_later;  ///< than their deadline, for the sake of reap_rate
  counter aborted;       ///< by abort_all()
  std::array<counter, turn_bounds.size() + 1> turns;
  counter busy;                              ///< milliseconds
  std::atomic<std::uint64_t> turn_began{0};  ///< the loop's clock; 0: it sleeps
  std::atomic<std::uint64_t> slots{0};       ///< in use
};

}  // namespace dwell::inline v0
