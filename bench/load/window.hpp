#pragma once

#include "plan.hpp"

#include <algorithm>

namespace load {

/// The seconds that a run is told in: of the warm-up, then of what is measured, the last of each
/// maybe shorter. Times since the run's beginning.
class window {
 public:
  explicit window(const plan& of) noexcept : warmup_{of.warmup}, end_{of.warmup + of.duration} {}

  nanoseconds measured_from() const noexcept { return warmup_; }
  nanoseconds end() const noexcept { return end_; }

  /// The end of the second that begins at `at`, which is below end().
  nanoseconds next_boundary(nanoseconds at) const noexcept {
    constexpr nanoseconds length = std::chrono::seconds{1};
    const bool warm = at >= warmup_;
    const nanoseconds part = warm ? warmup_ : nanoseconds{0};
    return std::min(part + ((at - part) / length + 1) * length, warm ? end_ : warmup_);
  }

 private:
  nanoseconds warmup_;
  nanoseconds end_;
};

}  // namespace load
