#pragma once

#include <cstdint>

namespace dwell::inline v0 {

/// SplitMix64: the same numbers from the same seed on every compiler and machine.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) noexcept : state_{seed} {}

  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// 0 to `bound` - 1; `bound` is at least 1.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  /// True with this probability; costs no number when that is 0, so that a fault that is off
  /// changes nothing.
  bool chance(double probability) noexcept {
    return probability > 0 && static_cast<double>(next() >> 11U) * 0x1p-53 < probability;
  }

 private:
  std::uint64_t state_;
};

}  // namespace dwell::inline v0
