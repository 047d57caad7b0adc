#include "connection/mailbox.hpp"

#include "engine/engine.hpp"

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

std::vector<unique_function<void(loop&)>> mailbox::take() {
  const std::lock_guard lock{mutex_};
  return std::exchange(waiting_, {});
}

void mailbox::close() {
  std::vector<unique_function<void(loop&)>> unrun;
  {
    const std::lock_guard lock{mutex_};
    sleeper_ = nullptr;
    unrun.swap(waiting_);
  }
}

}  // namespace dwell::inline v0
