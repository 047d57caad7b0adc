#pragma once

#include <dwell/connection/suspension.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>

namespace dwell::inline v0 {

/// Awaited; see sleep_for().
class [[nodiscard]] sleep_operation final : suspension, timer_target {
 public:
  explicit sleep_operation(duration length) noexcept : length_{length} {}
  ~sleep_operation() override;
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> sleeper) {
    start(sleeper);
  }
  bool await_resume() const noexcept { return !ended_; }

 private:
  void start(std::coroutine_handle<> sleeper);
  void fire() override;
  void connection_ended() override;

  duration length_;
  std::uint32_t timer_ = 0;
  bool ended_ = false;
};

/// Waits, without holding anything up, for a length of time: 0 (until the loop's next turn) to 24
/// days, ticks of 1 ms. On the wheel of the loop, and by its clock; allocates nothing. For a
/// handler's coroutine and the tasks it awaits. False when the connection has ended: at once if
/// that happens meanwhile.
inline sleep_operation sleep_for(duration length) noexcept { return sleep_operation{length}; }

}  // namespace dwell::inline v0
