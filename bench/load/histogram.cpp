#include "histogram.hpp"

#include <algorithm>
#include <cmath>

namespace load {

void histogram::add(const histogram& other) noexcept {
  for (std::size_t i = 0; i < bucket_count; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void histogram::clear() noexcept {
  std::ranges::fill(counts_, 0U);
  count_ = 0;
  sum_ = 0;
  min_ = ~std::uint64_t{0};
  max_ = 0;
}

histogram::nanoseconds histogram::at(double quantile) const noexcept {
  const double wanted = std::max(1.0, std::ceil(quantile * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += counts_[i];
    if (counts_[i] != 0 && static_cast<double>(seen) >= wanted) {
      return nanoseconds{std::clamp(middle_of(i), min_, max_)};
    }
  }
  return nanoseconds{max_};
}

}  // namespace load
