#pragma once

#include "deadline/tick.hpp"
#include "deadline/timing_wheel.hpp"

#include <cassert>
#include <cstdint>
#include <optional>

namespace dwell::inline v0 {

/// How much one `reaper::collect()` may do, in units of about 0.1 to 1 us: moving or re-arming an
/// entry is 1, a close is `close_cost` (14 to 20 us of system calls).
struct reap_budget {
  /// Default 1,024: at most 64 closes, about 1 ms, before the loop serves the others again.
  std::uint32_t units = 1024;
  /// Default 16. At most `units`.
  std::uint32_t close_cost = 16;
};

/// Finds the connections whose deadline has come, without work for those that postpone theirs.
///
/// A timing wheel with lazy re-arming: activity only moves the deadline that the connection itself
/// knows; the entry in the wheel stays where it was until it comes up, and `collect()` asks for the
/// real one. So an entry is never later than its deadline, and often earlier.
///
/// Owned by one loop; not thread-safe. Any member may be called from inside a look.
class reaper {
 public:
  explicit reaper(tick now) : wheel_{now} {}

  /// As `timing_wheel::reserve()` and `grow()`: usable indices, never fewer. May throw
  /// `std::bad_alloc`.
  void reserve(std::uint32_t count) { wheel_.reserve(count); }
  void grow(std::uint32_t count) { wheel_.grow(count); }

  /// The deadline of `index` is `due` now. Call it whenever a deadline may have become earlier; one
  /// that only became later needs no call, and costs a load and a compare if made.
  void expect(std::uint32_t index, tick due) noexcept {
    if (wheel_.armed(index) && !before(due, wheel_.due(index))) return;
    wheel_.arm(index, due);
  }

  /// `index` has no deadline any more. No-op when it had none.
  void forget(std::uint32_t index) noexcept { wheel_.disarm(index); }

  /// How many are waited for.
  std::uint32_t size() const noexcept { return wheel_.size(); }

  /// When to collect next, at the latest; see `timing_wheel::next()`.
  std::optional<tick> next() const noexcept { return wheel_.next(); }

  /// Tells the time. Call it on every wake-up, before the first `expect()`. O(1).
  void advance(tick now) noexcept { wheel_.advance(now); }

  /// Looks at each index whose entry has come up, until `budget` does not surely cover another
  /// look. `look(index)` returns the real deadline when that is later (the entry is re-armed), or
  /// nothing when it has dealt with the index: closed it, or given up its deadline. True when work
  /// is left: call again next turn.
  template <class Look>
  bool collect(tick now, reap_budget budget, Look&& look) {
    assert(budget.close_cost > 0 && budget.close_cost <= budget.units);
    std::uint32_t left = budget.units;
    while (left >= budget.close_cost) {
      std::uint32_t moves = left - budget.close_cost;
      const std::optional<std::uint32_t> index = wheel_.pop(now, moves);
      left = moves + budget.close_cost;
      if (!index) break;
      if (const std::optional<tick> later = look(*index)) {
        expect(*index, *later);
        left -= 1;
      } else {
        left -= budget.close_cost;
      }
    }
    const std::optional<tick> next = wheel_.next();
    return next && !before(now, *next);
  }

 private:
  timing_wheel wheel_;
};

}  // namespace dwell::inline v0
