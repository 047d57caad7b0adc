#include "server/pressure_ladder.hpp"

#include <algorithm>

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t hysteresis = 5;  // percent of the limit
constexpr std::uint32_t all = 100;
/// A rung that single connections take the ladder to is kept for a second after the last of them.
constexpr std::uint32_t ticks_of_a_second = 10;

std::uint32_t percent(std::uint64_t part, std::uint64_t whole) noexcept {
  if (whole == unlimited || whole == 0) return 0;
  return static_cast<std::uint32_t>(
      std::min(static_cast<double>(part) * all / static_cast<double>(whole), 1e6));
}

/// From how many on so much is used.
std::uint64_t share(std::uint64_t whole, std::uint32_t percent_of_it) noexcept {
  if (whole == unlimited) return unlimited;
  const auto exact = static_cast<double>(whole) * percent_of_it / all;
  const auto floor = static_cast<std::uint64_t>(exact);
  return std::max<std::uint64_t>(1, static_cast<double>(floor) < exact ? floor + 1 : floor);
}

}  // namespace

pressure_ladder::pressure_ladder(const pressure_options& options, when_full full,
                                 std::uint64_t connections) noexcept
    : options_{options},
      full_{full},
      limit_{connections},
      steep_{share(connections, options.shrink_idle_at)} {}

void pressure_ladder::set_limit(std::uint64_t connections) noexcept {
  limit_ = connections;
  steep_ = share(connections, options_.shrink_idle_at);
}

void pressure_ladder::set_descriptors(std::uint64_t limit) noexcept {
  descriptors_limit_ = limit;
  steep_descriptors_ = share(limit, options_.shrink_idle_at);
}

bool pressure_ladder::take() noexcept {
  if (taken_.fetch_add(1, std::memory_order_relaxed) < limit()) return true;
  taken_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

bool pressure_ladder::end_waiting() noexcept {
  if (!waiting_.exchange(false)) return false;
  let_in_ = true;
  return true;
}

/// To one part in 64, so that loops do not write it for each connection.
void pressure_ladder::saw_descriptor(int number) noexcept {
  const std::uint64_t limit = descriptors_limit_.load(std::memory_order_relaxed);
  if (limit == unlimited) return;
  const auto open = static_cast<std::uint64_t>(number) + 1;
  const std::uint64_t taken = taken_.load(std::memory_order_relaxed);
  const std::uint64_t others = open > taken ? open - taken : 0;
  const std::uint64_t known = other_descriptors_.load(std::memory_order_relaxed);
  if (std::max(others, known) - std::min(others, known) > limit / 64) other_descriptors_ = others;
}

bool pressure_ladder::add_memory(std::int64_t change) noexcept {
  memory_.fetch_add(static_cast<std::uint64_t>(change), std::memory_order_relaxed);
  return change > 0 && used(pressure_cause::memory) >= options_.shrink_idle_at;
}

void pressure_ladder::turn_took(duration length) noexcept {
  std::int64_t longest = longest_turn_.load(std::memory_order_relaxed);
  while (longest < length.count() &&
         !longest_turn_.compare_exchange_weak(longest, length.count())) {
  }
}

std::uint32_t pressure_ladder::used(pressure_cause what) const noexcept {
  const auto now = [](const auto& value) {
    return static_cast<std::uint64_t>(value.load(std::memory_order_relaxed));
  };
  switch (what) {
    case pressure_cause::connections: return percent(now(taken_), limit());
    case pressure_cause::descriptors:
      return percent(now(taken_) + now(other_descriptors_), now(descriptors_limit_));
    case pressure_cause::memory: return percent(now(memory_), options_.memory);
    case pressure_cause::turn:
      return options_.turn == off ? 0
                                  : percent(std::max(now(longest_turn_), now(last_turn_)),
                                            static_cast<std::uint64_t>(options_.turn.count()));
  }
  return 0;
}

bool pressure_ladder::is_reached(pressure_level rung, pressure_cause what,
                                 std::uint32_t percent_of_it) const noexcept {
  const std::uint32_t margin = level() >= rung ? std::min(hysteresis, percent_of_it - 1) : 0;
  return used(what) >= percent_of_it - margin;
}

pressure_ladder::view pressure_ladder::assess() const noexcept {
  using enum pressure_level;
  using enum pressure_cause;
  view seen{.level = normal, .cause = connections, .accepting = gate::open};
  const auto rise = [&seen](pressure_level rung, pressure_cause what) {
    if (rung <= seen.level) return;
    seen.level = rung;
    seen.cause = what;
  };
  for (const pressure_cause what : {connections, descriptors, memory}) {
    if (is_reached(shrink_idle, what, options_.shrink_idle_at)) rise(shrink_idle, what);
  }
  if (evicting_.holds(evictions_)) rise(evict_idle, connections);
  if (short_.holds(shortages_)) rise(evict_idle, descriptors);
  if (starving_.holds(starvations_)) rise(pause_accept, descriptors);
  if (full_ == when_full::evict_idle && is_reached(evict_idle, memory, options_.evict_idle_at)) {
    rise(evict_idle, memory);
  }
  if (waiting_) rise(pause_accept, connections);
  if (refusing_.holds(refusals_)) rise(refuse, connections);
  for (const pressure_cause what : {memory, turn}) {
    if (!is_reached(pause_accept, what, all)) continue;
    rise(full_ == when_full::refuse ? refuse : pause_accept, what);
    seen.accepting = full_ == when_full::refuse ? gate::refusing : gate::closed;
  }
  const bool patient = full_ == when_full::pause_accept || options_.patience == off ||
                       paused_ticks_ * interval < options_.patience;
  if (seen.level != pause_accept || seen.cause == descriptors || patient) return seen;
  seen.level = refuse;
  seen.accepting = seen.accepting == gate::closed ? gate::refusing : gate::impatient;
  return seen;
}

std::optional<pressure_ladder::step> pressure_ladder::enter(const view& what) noexcept {
  const pressure_level from = level();
  cause_ = what.cause;
  if (what.level == from && what.accepting == accepting()) return std::nullopt;
  if (what.level > from) {
    reached_[static_cast<std::size_t>(what.level)].fetch_add(1, std::memory_order_relaxed);
  }
  gate_ = what.accepting;
  level_ = what.level;
  return step{from, what.level};
}

std::optional<pressure_ladder::step> pressure_ladder::reconsider() noexcept {
  const std::lock_guard lock{stepping_};
  const view seen = assess();
  if (seen.level < level()) return std::nullopt;
  return enter(seen);
}

std::optional<pressure_ladder::step> pressure_ladder::tick() noexcept {
  const std::lock_guard lock{stepping_};
  evicting_.look(evictions_, ticks_of_a_second);
  refusing_.look(refusals_, ticks_of_a_second);
  short_.look(shortages_, ticks_of_a_second);
  starving_.look(starvations_, ticks_of_a_second);
  last_turn_ = longest_turn_.exchange(0);
  const bool let_in = let_in_.exchange(false);
  paused_ticks_ = let_in || level() < pressure_level::pause_accept ? 0 : paused_ticks_ + 1;
  return enter(assess());
}

bool pressure_ladder::shrinks_idle() const noexcept {
  using enum pressure_cause;
  if (level() == pressure_level::normal || options_.idle_share == all) return false;
  return is_reached(pressure_level::shrink_idle, connections, options_.shrink_idle_at) ||
         is_reached(pressure_level::shrink_idle, descriptors, options_.shrink_idle_at) ||
         is_reached(pressure_level::shrink_idle, memory, options_.shrink_idle_at);
}

bool pressure_ladder::evicts() const noexcept {
  return level() >= pressure_level::evict_idle && full_ == when_full::evict_idle &&
         is_reached(pressure_level::evict_idle, pressure_cause::memory, options_.evict_idle_at);
}

pressure_status pressure_ladder::status() const noexcept {
  pressure_status now{.level = level(),
                      .cause = cause_.load(std::memory_order_relaxed),
                      .used = {},
                      .reached = {},
                      .memory = memory_.load(std::memory_order_relaxed)};
  for (std::size_t i = 0; i < now.used.size(); ++i) {
    now.used[i] = used(static_cast<pressure_cause>(i));
  }
  for (std::size_t i = 0; i < now.reached.size(); ++i) {
    now.reached[i] = reached_[i].load(std::memory_order_relaxed);
  }
  return now;
}

}  // namespace dwell::inline v0
