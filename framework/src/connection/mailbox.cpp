#include "connection/mailbox.hpp"

#include <dwell/connection/suspension.hpp>

#include "engine/engine.hpp"

#include <utility>

namespace dwell::inline v0 {

void mailbox::push(std::unique_lock<std::mutex>& held, unique_function<void(loop&)> fn) {
  const bool first = waiting_.empty();
  waiting_.push_back(std::move(fn));
  if (first) sleeper_->wake();  // under the lock, so that close() cannot take the engine away
  held.unlock();
}

bool mailbox::post(unique_function<void(loop&)>& fn) {
  std::unique_lock lock{mutex_};
  if (sleeper_ == nullptr || waiting_.size() >= capacity_) return false;
  push(lock, std::move(fn));
  return true;
}

void mailbox::order(unique_function<void(loop&)> fn) {
  std::unique_lock lock{mutex_};
  if (sleeper_ != nullptr) push(lock, std::move(fn));
}

void mailbox::order(standing_order what) noexcept {
  const std::lock_guard lock{mutex_};
  if (sleeper_ == nullptr) return;
  standing_.fetch_or(static_cast<std::uint8_t>(what), std::memory_order_release);
  sleeper_->wake();
}

void mailbox::resume(suspension& which) noexcept {
  const std::lock_guard lock{mutex_};
  if (sleeper_ == nullptr) return;
  (resumed_ == nullptr ? resumed_ : last_resumed_->next_resumed_) = &which;
  last_resumed_ = &which;
  sleeper_->wake();
}

suspension* mailbox::take_resumed() noexcept {
  const std::lock_guard lock{mutex_};
  return resumed_ == nullptr ? nullptr : std::exchange(resumed_, resumed_->next_resumed_);
}

std::vector<unique_function<void(loop&)>> mailbox::take() {
  const std::lock_guard lock{mutex_};
  return std::exchange(waiting_, {});
}

void mailbox::close() {
  std::vector<unique_function<void(loop&)>> unrun;
  {
    const std::lock_guard lock{mutex_};
    sleeper_ = nullptr;
    resumed_ = nullptr;
    unrun.swap(waiting_);
  }
}

}  // namespace dwell::inline v0
