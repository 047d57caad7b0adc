#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>

#include "connection/loop_owner.hpp"
#include "deadline/reap_pacer.hpp"

#include <cstddef>
#include <cstdint>

namespace dwell::inline v0 {

/// What a loop is told once.
struct loop_options {
  std::size_t mailbox;
  when_full full;
  duration longest_turn;     ///< from which the owner hears of one; off: never
  std::uint32_t idle_share;  ///< percent of an idle deadline under pressure
  std::uint64_t reap_rate;   ///< a second
  bool own_table = false;    ///< of descriptors
};

/// What the server's pressure means to one loop, and how far it is with it.
struct loop_pressure {
  std::uint64_t longest_turn;  ///< ms
  std::uint32_t idle_share;
  reap_pacer pace;
  bool own_table = false;  ///< of descriptors, so that it accepts in turn
  gate accepting = gate::open;
  int told_descriptor = 0;    ///< the number that the server knows of
  bool shrinks_idle = false;  ///< it did when the ladder last moved
  bool evicts = false;
  std::uint32_t rearm_from = 0xffff'ffff;  ///< slots whose deadlines the reaper is to hear of
  std::uint32_t refusing = 0;              ///< connections that are being told so
  std::uint64_t memory = 0;                ///< bytes that the server knows of
};

}  // namespace dwell::inline v0
