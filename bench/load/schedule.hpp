#pragma once

#include "plan.hpp"

#include <cstdint>
#include <random>

namespace load {

/// When the requests of one of `threads` threads are due: its share of an open loop. The same plan
/// and thread give the same times. Reads no clock.
class schedule {
 public:
  schedule(const plan& of, std::uint32_t thread);

  /// Of the next one, since the run's beginning. Never earlier than the one before.
  nanoseconds due() const noexcept { return due_; }
  void next() noexcept;

 private:
  nanoseconds to_time(double steps) const noexcept;

  bool even_;
  double step_ns_;    ///< between two of this thread, on average
  double offset_ns_;  ///< even: threads take turns
  double steps_ = 0;
  std::mt19937_64 random_;
  nanoseconds due_{0};
};

}  // namespace load
