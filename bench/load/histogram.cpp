#include "histogram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace load {

void histogram::add(const histogram& other) noexcept {
  for (std::size_t i = 0; i < bucket_count; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

bool histogram::restore(const std::vector<bucket>& from, nanoseconds min, nanoseconds max,
                        double mean_ns) {
  histogram built;
  for (const auto [middle, count] : from) {
    std::uint32_t& slot = built.counts_[bucket_of(clamp(middle))];
    if (middle.count() < 0 || count == 0 || slot != 0 || count > ~std::uint32_t{0}) return false;
    slot = static_cast<std::uint32_t>(count);
    built.count_ += count;
  }
  if (built.count_ != 0) {
    built.min_ = clamp(min);
    built.max_ = clamp(max);
    built.sum_ = mean_ns * static_cast<double>(built.count_);
    const auto lowest = static_cast<double>(built.min_);
    const auto highest = static_cast<double>(built.max_);
    if (built.counts_[bucket_of(built.min_)] == 0 || built.counts_[bucket_of(built.max_)] == 0 ||
        !(mean_ns >= lowest * (1 - 1e-9) && mean_ns <= highest * (1 + 1e-9))) {
      return false;
    }
  }
  *this = std::move(built);
  return true;
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
