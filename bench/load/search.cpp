#include "search.hpp"

#include <algorithm>
#include <cmath>

namespace load {

std::optional<double> rate_search::next() const noexcept {
  constexpr double near = 1.12;
  constexpr double least = 1;
  if (!sustained_ && !too_much_) return std::min(start_, most_);
  if (!too_much_) {
    if (*sustained_ >= most_) return std::nullopt;
    return std::min(*sustained_ * 4, most_);
  }
  if (!sustained_) {
    if (*too_much_ <= least) return std::nullopt;
    return std::max(*too_much_ / 4, least);
  }
  if (*too_much_ / *sustained_ <= near) return std::nullopt;
  return std::sqrt(*sustained_ * *too_much_);
}

void rate_search::tell(double rate, bool sustained) noexcept {
  if (sustained) {
    sustained_ = std::max(sustained_.value_or(0), rate);
  } else {
    too_much_ = std::min(too_much_.value_or(rate), rate);
  }
}

bool sustains(const run_result& result, nanoseconds p99) {
  constexpr double least_answered = 0.98;
  constexpr double most_failed = 0.001;
  std::uint64_t failed = 0;
  for (const auto& [what, count] : result.errors) failed += count;
  const auto due = static_cast<double>(result.due);
  return result.due != 0 && !result.partial &&
         static_cast<double>(result.answered) >= due * least_answered &&
         static_cast<double>(failed) <= due * most_failed &&
         result.latencies.request.at(0.99) <= p99;
}

}  // namespace load
