#include "base/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <locale>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

// Buckets up to 2 x 10^digits hold one value each; those above are at most 1/10^digits of their
// values wide.
unsigned bits_for(int digits) {
  if (digits < 1 || digits > 4) {
    throw std::invalid_argument{"histogram: " + std::to_string(digits) +
                                " significant digits; use 1 to 4"};
  }
  const auto single = static_cast<std::uint64_t>(2 * std::pow(10, digits));
  return static_cast<unsigned>(std::bit_width(single - 1));
}

}  // namespace

histogram::histogram(int digits, std::uint64_t highest)
    : digits_{digits}, bits_{bits_for(digits)}, highest_{highest} {
  counts_.resize(bucket_of(highest) + 1);
}

void histogram::record(std::uint64_t value, std::uint64_t times) noexcept {
  if (times == 0) return;
  counts_[bucket_of(std::min(value, highest_))] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value) * static_cast<double>(times);
}

void histogram::merge(const histogram& other) {
  if (digits_ != other.digits_ || highest_ != other.highest_) {
    throw std::invalid_argument{"histogram: merging needs the same digits and highest value, not " +
                                std::to_string(digits_) + " and " + std::to_string(highest_) +
                                " with " + std::to_string(other.digits_) + " and " +
                                std::to_string(other.highest_)};
  }
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    counts_[bucket] += other.counts_[bucket];
  }
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double histogram::mean() const noexcept {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t histogram::quantile(double q) const noexcept {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen > 0 && static_cast<double>(seen) >= wanted) return std::min(highest_in(bucket), max_);
  }
  return max_;
}

void histogram::write_hgrm(std::ostream& out, double unit) const {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  const auto scaled = [&](double value) -> std::ostream& {
    return text << std::fixed << std::setprecision(digits_) << std::setw(12) << value / unit;
  };
  const auto row = [&](std::size_t bucket, double percent, std::uint64_t seen) -> std::ostream& {
    return scaled(static_cast<double>(std::min(highest_in(bucket), max_)))
           << ' ' << std::setprecision(12) << percent / 100 << ' ' << std::setw(10) << seen;
  };

  text << std::setw(12) << "Value" << ' ' << std::setw(14) << "Percentile" << ' ' << std::setw(10)
       << "TotalCount" << ' ' << std::setw(14) << "1/(1-Percentile)"
       << "\n\n";
  // Five rows for each halving of the distance to 100 %, as HdrHistogram reports it by default.
  double level = 0;
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; seen < count_; ++bucket) {
    if (counts_[bucket] == 0) continue;
    seen += counts_[bucket];
    const double percent = 100 * static_cast<double>(seen) / static_cast<double>(count_);
    while (percent >= level) {
      row(bucket, level, seen) << ' ' << std::setprecision(2) << std::setw(14)
                               << 1 / (1 - level / 100) << '\n';
      level += 100 / (5 * std::exp2(std::floor(std::log2(100 / (100 - level))) + 1));
      if (seen == count_) break;
    }
    if (seen == count_) row(bucket, 100, seen) << '\n';
  }

  unsigned doublings = 1;
  while (doublings + bits_ <= 64 && highest_ >> (doublings + bits_ - 1) != 0) ++doublings;
  text << "#[Mean    = ";
  scaled(mean()) << ", StdDeviation   = ";
  scaled(deviation()) << "]\n#[Max     = ";
  scaled(static_cast<double>(max_)) << ", Total count    = " << std::setw(12) << count_ << "]\n";
  text << "#[Buckets = " << std::setw(12) << doublings << ", SubBuckets     = " << std::setw(12)
       << (std::uint64_t{1} << bits_) << "]\n";
  out << text.str();
}

std::size_t histogram::bucket_of(std::uint64_t value) const noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > bits_ ? width - bits_ : 0;
  return (std::size_t{shift} << (bits_ - 1)) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t histogram::lowest_in(std::size_t bucket) const noexcept {
  const std::size_t doubling = bucket >> (bits_ - 1);
  const std::size_t shift = doubling < 2 ? 0 : doubling - 1;
  return std::uint64_t{bucket - (shift << (bits_ - 1))} << shift;
}

std::uint64_t histogram::highest_in(std::size_t bucket) const noexcept {
  return lowest_in(bucket + 1) - 1;
}

double histogram::deviation() const noexcept {
  if (count_ == 0) return 0;
  double squares = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    if (counts_[bucket] == 0) continue;
    const auto lowest = static_cast<double>(lowest_in(bucket));
    const double middle = lowest + (static_cast<double>(highest_in(bucket)) - lowest) / 2;
    squares += static_cast<double>(counts_[bucket]) * (middle - mean()) * (middle - mean());
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

}  // namespace dwell::inline v0
