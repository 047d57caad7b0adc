#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/net/handshake_result.hpp>
#include <dwell/net/proxy_protocol.hpp>

#include "base/counters.hpp"
#include "base/recent_count.hpp"

#include <array>

namespace dwell::inline v0 {

/// The totals of one service on one loop: written by the loop, read by any thread.
struct service_counters {
  counter opened;
  counter released;  ///< descriptors: opened − released are live
  counter freed;     ///< slots: released − freed wait for frames
  std::array<counter, close_reason_count> closed;
  std::array<counter, close_method_count> methods;
  std::array<counter, time_wait_count> time_wait;
  recent_count time_wait_here;  ///< those closed last, with TIME_WAIT here or at both ends
  counter observed;
  counter reap_raced;
  counter evicted;
  counter refused;
  counter over_address_limit;
  counter shrunk;                                          ///< idle_timeout before deadlines.idle
  std::array<counter, handshake_result_count> handshakes;  ///< TLS
  std::array<counter, proxy_header_result_count> proxy_headers;
  counter exchanges;
  counter received;
  counter sent;
  counter held;         ///< connections that the watchdog has named
  counter frames_held;  ///< the same of slots that wait for a frame
};

}  // namespace dwell::inline v0
