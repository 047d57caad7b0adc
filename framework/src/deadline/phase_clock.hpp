#pragma once

#include "deadline/tick.hpp"

#include <cstdint>
#include <optional>

namespace dwell::inline v0 {

/// Which phase a connection is in, and since when its deadline runs. One per connection, 12 bytes,
/// owned by its loop.
///
/// A phase starts when it is entered. Time in `write` is charged to `write` alone: coming back from
/// there to the phase before it, `idle` and `handle` go on where they stopped; `read`, `handshake`
/// and `close` are absolute and keep their start. Going elsewhere from `write` starts afresh.
class phase_clock {
 public:
  phase_clock(phase first, tick now) noexcept : since_{now}, current_{first}, left_{first} {}

  phase current() const noexcept { return current_; }

  /// When the current phase started; moved forward by progress, and by what does not count.
  tick since() const noexcept { return since_; }

  /// No-op when already there.
  void enter(phase next, tick now) noexcept {
    if (next == current_) return;
    if (next == phase::write) {
      left_ = current_;
      saved_ = stops_in_write(left_) ? now.value() - since_.value() : since_.value();
      since_ = now;
    } else if (current_ == phase::write && next == left_) {
      since_ = tick{stops_in_write(next) ? now.value() - saved_ : saved_};
    } else {
      since_ = now;
    }
    current_ = next;
  }

  /// A byte came in `idle`, or the peer acknowledged one in `write`: the phase starts anew. No-op
  /// in all others: they are absolute.
  void progress(tick now) noexcept {
    if (current_ == phase::idle || current_ == phase::write) since_ = now;
  }

  /// A message is whole, and another has begun: `read` starts anew, also one that `write` has
  /// interrupted. No-op in all others.
  void next_message(tick now) noexcept {
    if (current_ == phase::read) since_ = now;
    if (current_ == phase::write && left_ == phase::read) saved_ = now.value();
  }

  /// Part of an answer is out, and more follows: `handle` starts anew, also one that `write` has
  /// interrupted. No-op in all others.
  void answer_goes_on(tick now) noexcept {
    if (current_ == phase::handle) since_ = now;
    if (current_ == phase::write && left_ == phase::handle) saved_ = 0;
  }

  /// The loop did not run for `gap`, all of it after the current phase began: `handle` grows by as
  /// much, since the handler could not run either. No-op in all others; the peer could send.
  void stretch(duration gap) noexcept {
    if (current_ == phase::handle) since_ = since_ + gap;
  }

  /// When the current phase is over. Nothing when its deadline is off.
  std::optional<tick> due(const deadlines& limits) const noexcept {
    const duration limit = limits.of(current_);
    if (limit == off) return std::nullopt;
    return since_ + limit;
  }

 private:
  static constexpr bool stops_in_write(phase which) noexcept {
    return which == phase::idle || which == phase::handle;
  }

  tick since_;
  std::uint32_t saved_ = 0;  // in write: what `left_` had spent, or its start when it is absolute
  phase current_;
  phase left_;  // in write: the phase before it
};

static_assert(sizeof(phase_clock) <= 16);

}  // namespace dwell::inline v0
