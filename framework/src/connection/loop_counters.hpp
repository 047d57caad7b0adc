#pragma once

#include <dwell/closing/close_reason.hpp>
#include <dwell/closing/close_record.hpp>

#include "base/counters.hpp"

#include <array>

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
  counter evicted;
  counter refused;
  counter exchanges;
  counter received;
  counter sent;
};

}  // namespace dwell::inline v0
