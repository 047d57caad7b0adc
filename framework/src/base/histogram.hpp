#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <vector>

namespace dwell::inline v0 {

/// How values are distributed, in bounded memory: log-linear buckets, as HdrHistogram has them.
///
/// Values are unsigned and of any unit (nanoseconds, bytes). With `digits` significant digits, a
/// value that is read back is at most one part in 10^digits away from the one that was recorded.
/// Values above `highest` count as `highest`, except in `max()` and `mean()`. Memory is allocated
/// once, 8 B for each bucket: for 2 digits up to an hour in nanoseconds 37 KiB, for 3 digits 265
/// KiB. A plain value; not thread-safe.
class histogram {
 public:
  /// 1 to 4 digits; default 3, and an hour in nanoseconds. Throws `std::invalid_argument`.
  explicit histogram(int digits = 3, std::uint64_t highest = 3'600'000'000'000);

  /// Never allocates. The counts stay exact up to 2^64.
  void record(std::uint64_t value, std::uint64_t times = 1) noexcept;

  /// Adds what `other` has recorded. Throws `std::invalid_argument` when it has other digits or
  /// another highest value.
  void merge(const histogram& other);

  std::uint64_t count() const noexcept { return count_; }

  /// Exact; 0 when nothing is recorded, as `max()`, `mean()` and `quantile()`.
  std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  std::uint64_t max() const noexcept { return max_; }
  double mean() const noexcept;

  /// The smallest value (to the precision above, never below it) that at least the fraction `q` of
  /// all values is not above: 0.5 is the median, 0 the first, 1 the last. Outside 0 to 1: the
  /// nearer.
  std::uint64_t quantile(double q) const noexcept;

  /// The percentile table that HdrHistogram's plotters read (.hgrm), values divided by `unit`: 1e6
  /// turns nanoseconds into milliseconds.
  void write_hgrm(std::ostream& out, double unit = 1.0) const;

 private:
  std::size_t bucket_of(std::uint64_t value) const noexcept;
  std::uint64_t lowest_in(std::size_t bucket) const noexcept;
  std::uint64_t highest_in(std::size_t bucket) const noexcept;
  double deviation() const noexcept;

  int digits_;
  unsigned bits_;  // 2^bits_ buckets below 2^bits_, then 2^(bits_ - 1) for each doubling
  std::uint64_t highest_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace dwell::inline v0
