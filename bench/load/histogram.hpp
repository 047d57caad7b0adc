#pragma once

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace load {

/// Counts of durations in log-linear buckets, 1,024 to each power of two: what is read back is
/// within 0.1 % of what was recorded, from 1 ns to 2^40 ns (18 min); longer ones count as that.
/// 128 KB. Not for two threads at once.
class histogram {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  histogram() : counts_(bucket_count) {}

  /// A negative duration counts as 0.
  void record(nanoseconds duration, std::uint32_t times = 1) noexcept {
    if (times == 0) return;
    const std::uint64_t value = clamp(duration);
    counts_[bucket_of(value)] += times;
    count_ += times;
    sum_ += static_cast<double>(value) * times;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }

  void add(const histogram& other) noexcept;
  /// What visit() told, and mean and extremes, which buckets alone do not know. False: those do not
  /// belong together, or to any histogram; nothing is changed.
  struct bucket {
    nanoseconds middle;
    std::uint64_t count;
  };
  bool restore(const std::vector<bucket>& from, nanoseconds min, nanoseconds max, double mean_ns);
  void clear() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  nanoseconds min() const noexcept { return nanoseconds{count_ == 0 ? 0 : min_}; }
  nanoseconds max() const noexcept { return nanoseconds{max_}; }
  double mean_ns() const noexcept { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  /// The duration that a share `quantile` (0 to 1) of those recorded does not exceed. 0: none was.
  nanoseconds at(double quantile) const noexcept;

  /// Calls `each(middle of the bucket, count)` for those that are not empty, shortest first.
  template <class Each>
  void visit(Each&& each) const {
    for (std::size_t i = 0; i < bucket_count; ++i) {
      if (counts_[i] != 0) each(nanoseconds{middle_of(i)}, counts_[i]);
    }
  }

 private:
  static constexpr unsigned bits = 10;
  static constexpr unsigned top = 40;
  static constexpr std::uint64_t part = std::uint64_t{1} << bits;
  static constexpr std::size_t bucket_count = (top - bits + 1) * part;

  static std::uint64_t clamp(nanoseconds duration) noexcept {
    constexpr std::uint64_t longest = (std::uint64_t{1} << top) - 1;
    const auto value = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    return value < longest ? value : longest;
  }
  static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < part) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - bits;
    return (shift << bits) + (value >> shift);
  }
  static std::uint64_t middle_of(std::size_t bucket) noexcept {
    if (bucket < part) return bucket;
    const std::size_t shift = (bucket >> bits) - 1;
    return ((bucket - (shift << bits)) << shift) + ((std::uint64_t{1} << shift) >> 1);
  }

  std::vector<std::uint32_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t min_ = ~std::uint64_t{0};
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace load
