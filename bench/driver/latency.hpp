#pragma once
#include "clock.hpp"

#include <array>
#include <bit>
#include <cstdint>

// Counts of durations in log-linear buckets: 128 to each power of two, so a value read back is at
// most 0.8 % above the one recorded.
class latency {
 public:
  void record(nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(duration < 0 ? 0 : duration);
    ++counts_[bucket_of(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    if (value > max_) max_ = value;
  }

  std::uint64_t count() const { return count_; }
  nanoseconds max() const { return static_cast<nanoseconds>(max_); }
  double mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }

  // `quantile` in 0…1; 0 when nothing was recorded.
  nanoseconds at(double quantile) const {
    const double wanted = quantile * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) {
        const std::uint64_t top = highest_in(i);
        return static_cast<nanoseconds>(top < max_ ? top : max_);
      }
    }
    return 0;
  }

 private:
  static constexpr unsigned bits = 7;
  static constexpr std::uint64_t half = 1U << bits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * half) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    return shift * half + (value >> shift);
  }

  static std::uint64_t highest_in(std::size_t bucket) {
    if (bucket < 2 * half) return bucket;
    const std::size_t shift = bucket / half - 1;
    return ((bucket - shift * half + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * half> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};
