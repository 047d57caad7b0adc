#include "server/drain_steps.hpp"

#include <algorithm>

namespace dwell::inline v0 {
namespace {

duration between(std::uint64_t from, std::uint64_t to) noexcept {
  return duration{to > from ? static_cast<std::int64_t>(to - from) : 0};
}

}  // namespace

bool drain_steps::enter(drain_step next, std::uint64_t now,
                        std::optional<duration> bound) noexcept {
  const std::lock_guard lock{changing_};
  if (next <= step_) return false;
  if (step_ == drain_step::none) began_ = now;
  step_ = next;
  since_ = now;
  bound_ = bound;
  return true;
}

drain_step drain_steps::step() const noexcept {
  const std::lock_guard lock{changing_};
  return step_;
}

void drain_steps::began_with(std::uint64_t connections, std::uint64_t crossed) noexcept {
  const std::lock_guard lock{changing_};
  at_start_ = connections;
  crossed_before_ = crossed;
}

drain_progress drain_steps::complete(drain_progress figures, std::uint64_t now) const noexcept {
  const std::lock_guard lock{changing_};
  if (step_ == drain_step::none) return {.connections = figures.connections, .left = {}};
  figures.step = step_;
  figures.at_start = at_start_;
  figures.crossed -= std::min(figures.crossed, crossed_before_);
  figures.elapsed = between(began_, step_ == drain_step::ended ? since_ : now);
  if (bound_) figures.left = std::max(duration{0}, *bound_ - between(since_, now));
  return figures;
}

}  // namespace dwell::inline v0
