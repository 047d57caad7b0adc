#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace dwell::inline v0 {

/// At most so many reaps a second, evenly: each is told when it may happen (the generic cell rate
/// algorithm without a burst; ATM Forum TM 4.1). One loop's.
class reap_pacer {
 public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  /// `per_second`: at least 1.
  explicit reap_pacer(std::uint64_t per_second) noexcept
      : step_{per_second == unlimited ? 0 : std::max<std::uint64_t>(1, second / per_second)} {}

  /// How many milliseconds from `now` (ms, never going back) the next reap has to wait; 0: not at
  /// all. Whoever is told to wait has its place, and does not ask again.
  std::uint64_t wait(std::uint64_t now) noexcept {
    if (step_ == 0) return 0;
    free_at_ = std::max(free_at_, now * (second / 1'000));
    const std::uint64_t place = free_at_ / (second / 1'000);
    free_at_ += step_;
    return place - now;
  }

 private:
  static constexpr std::uint64_t second = 1'000'000'000;  // ns
  std::uint64_t step_;
  std::uint64_t free_at_ = 0;
};

}  // namespace dwell::inline v0
