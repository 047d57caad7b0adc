#include "schedule.hpp"

#include <cmath>

namespace load {
namespace {

// In (0, 1], so that its logarithm exists. std::exponential_distribution may differ from one
// standard library to the next, and a seed is to mean the same everywhere.
double uniform(std::mt19937_64& random) noexcept {
  return static_cast<double>((random() >> 11) + 1) * 0x1p-53;
}

}  // namespace

schedule::schedule(const plan& of, std::uint32_t thread)
    : even_{of.arrival == arrival::even},
      step_ns_{1e9 * of.threads / of.rate},
      offset_ns_{even_ ? 1e9 * thread / of.rate : 0},
      random_{of.seed * 0x9E3779B97F4A7C15 + thread} {
  if (even_) {
    due_ = to_time(0);
  } else {
    next();
  }
}

void schedule::next() noexcept {
  steps_ += even_ ? 1 : -std::log(uniform(random_));
  due_ = to_time(steps_);
}

nanoseconds schedule::to_time(double steps) const noexcept {
  return nanoseconds{static_cast<std::int64_t>(offset_ns_ + steps * step_ns_)};
}

}  // namespace load
