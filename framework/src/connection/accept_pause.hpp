#pragma once

#include "connection/loop_timers.hpp"

#include <utility>

namespace dwell::inline v0 {

/// A pause in accepting, which ends by itself. It begins when something has run out, so to begin it
/// needs nothing. Single-threaded.
class accept_pause final : timer_target {
 public:
  accept_pause(engine& io, loop_timers& timers)
      : io_{&io}, timers_{&timers}, timer_{timers.keep(*this)} {}
  accept_pause(const accept_pause&) = delete;
  accept_pause& operator=(const accept_pause&) = delete;
  ~accept_pause() = default;

  /// Goes on accepting after `length`, or when the one that has begun before ends.
  void begin(duration length) noexcept {
    io_->set_accepting(false);
    if (!std::exchange(lasts_, true)) timers_->restart(timer_, length);
  }

  bool lasts() const noexcept { return lasts_; }

 private:
  void fire() override {
    lasts_ = false;
    io_->set_accepting(true);
  }

  engine* io_;
  loop_timers* timers_;
  std::uint32_t timer_;
  bool lasts_ = false;
};

}  // namespace dwell::inline v0
