#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/connection/suspension.hpp>

#include <cstdint>

namespace dwell::inline v0 {

struct slot;

/// One connection::after(), owned by the list of its connection until it fires.
class after_timer final : timer_target {
 public:
  /// Adds it to the list of `c`. Throws std::bad_alloc.
  static void start(slot& c, duration delay, unique_function<void(connection&)> call);
  ~after_timer();

 private:
  after_timer(slot& c, unique_function<void(connection&)> call);
  void fire() override;

  friend void cancel_after_timers(slot& c) noexcept;

  slot* peer_;
  after_timer* next_;
  after_timer** link_;
  unique_function<void(connection&)> call_;
  std::uint32_t timer_ = 0;
};

/// Destroys what waits, unrun.
void cancel_after_timers(slot& c) noexcept;

}  // namespace dwell::inline v0
