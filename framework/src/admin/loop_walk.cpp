#include "admin/loop_walk.hpp"

#include <utility>

namespace dwell::inline v0 {

loop_walk::loop_walk(std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive)
    : alive_{std::move(alive)}, done_(loops), loops_left_{loops} {
  ++*alive_;
}

void loop_walk::loop_done(std::uint32_t loop) noexcept {
  const std::lock_guard lock{mutex_};
  done_[loop] = true;
  if (--loops_left_ == 0) wake();
}

void loop_walk::stop_waiting() noexcept {
  const std::lock_guard lock{mutex_};
  wake();
}

/// Under the lock, so that who waits cannot go meanwhile.
void loop_walk::wake() noexcept {
  if (loops_answered* const waiter = std::exchange(waiter_, nullptr)) waiter->resume_later();
}

bool loop_walk::wait(loops_answered& waiter) noexcept {
  const std::lock_guard lock{mutex_};
  if (loops_left_ == 0) return false;
  waiter_ = &waiter;
  return true;
}

bool loop_walk::forget(loops_answered& waiter) noexcept {
  const std::lock_guard lock{mutex_};
  if (waiter_ != &waiter) return false;
  waiter_ = nullptr;
  return true;
}

}  // namespace dwell::inline v0
