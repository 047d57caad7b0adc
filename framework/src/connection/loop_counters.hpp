#pragma once

#include <dwell/closing/close_reason.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/connection/turns.hpp>

#include "base/counters.hpp"

#include <array>
#include <atomic>

namespace dwell::inline v0 {

/// One loop's totals: written by the loop, read by any thread.
struct loop_counters {
  counter opened;
  counter released;  ///< descriptors: opened − released are live
  counter freed;     ///< slots: released − freed wait for frames
  std::array<counter, close_reason_count> closed;
  std::array<counter, time_wait_count> time_wait;
  counter observed;
  counter reap_raced;
  counter accept_failed;
  counter connected;  ///< of opened
  counter connect_failed;
  counter evicted;
  counter refused;
  counter exchanges;
  counter received;
  counter sent;
  std::array<counter, turn_bounds.size() + 1> turns;
  counter busy;                              ///< milliseconds
  std::atomic<std::uint64_t> turn_began{0};  ///< the loop's clock; 0: it sleeps
};

}  // namespace dwell::inline v0
