#pragma once

#include <dwell/connection/suspension.hpp>

#include "base/slab.hpp"
#include "deadline/timing_wheel.hpp"
#include "engine/engine.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace dwell::inline v0 {

/// The timers of one loop: those of handlers, and calls that the server puts off. Single-threaded.
class loop_timers {
 public:
  explicit loop_timers(engine& io) noexcept;
  ~loop_timers();
  loop_timers(const loop_timers&) = delete;
  loop_timers& operator=(const loop_timers&) = delete;

  /// Fires once after `delay`, up to longest_deadline, unless it is cancelled. Returns its number.
  std::uint32_t start(duration delay, timer_target& whom);
  /// One that has neither fired nor been cancelled.
  void cancel(std::uint32_t timer) noexcept;
  /// A timer that does not run, and keeps its number until this is destroyed: once it is there,
  /// restart() needs no memory.
  std::uint32_t keep(timer_target& whom);
  void restart(std::uint32_t kept, duration delay) noexcept;
  /// Calls once after `delay`, unless this is destroyed first.
  void call_after(duration delay, std::function<void()> call);

  void advance(tick now) noexcept { wheel_.advance(now); }
  /// Fires what is due, so many at a time; what is left has come up in next() again.
  void run();
  std::optional<tick> next() const noexcept { return wheel_.next(); }

 private:
  std::uint32_t make(timer_target& whom, bool kept);
  void arm(std::uint32_t which, duration delay) noexcept;

  struct timer {
    timer_target* whom;
    bool put_off;
    bool kept;
  };
  struct delayed_call;

  engine* io_;
  timing_wheel wheel_;
  slab<timer> timers_;
  std::vector<std::uint32_t> put_off_;  // timers that are armed once those that are due have run
  bool running_ = false;
  std::vector<std::unique_ptr<delayed_call>> delayed_;
};

}  // namespace dwell::inline v0
