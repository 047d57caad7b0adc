#pragma once

#include <dwell/connection/suspension.hpp>

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace dwell::inline v0 {

class connection;
class loops_answered;

/// Looks at the connections of all loops at the same time. Each loop writes to a part of its own,
/// which is looked at once the loop has shown everything; who waits for that may give up. Shared
/// with the loops, so that a late one finds it.
class loop_walk {
 public:
  /// `alive` counts those that are not destroyed yet.
  loop_walk(std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive);
  virtual ~loop_walk() { --*alive_; }
  loop_walk(const loop_walk&) = delete;
  loop_walk& operator=(const loop_walk&) = delete;

  std::uint32_t loops() const noexcept { return static_cast<std::uint32_t>(done_.size()); }

  // ── on the loops ──
  void see(connection& peer) noexcept {
    if (!over_.load(std::memory_order_relaxed)) look(peer);
  }
  void loop_done(std::uint32_t loop) noexcept;

  // ── where the answer is put together ──
  /// Nobody waits any longer.
  void stop_waiting() noexcept;

 protected:
  virtual void look(connection& peer) noexcept = 0;
  /// Once, with the loops that have answered. What others show from now on is not kept.
  template <class Use>
  std::vector<std::uint32_t> take_parts(Use&& use) {
    const std::lock_guard lock{mutex_};
    over_.store(true, std::memory_order_relaxed);
    std::vector<std::uint32_t> silent;
    for (std::uint32_t loop = 0; loop < done_.size(); ++loop) {
      if (!done_[loop] || !use(loop)) silent.push_back(loop);
    }
    return silent;
  }

 private:
  friend loops_answered;
  bool wait(loops_answered& waiter) noexcept;
  bool forget(loops_answered& waiter) noexcept;
  void wake() noexcept;

  std::shared_ptr<std::atomic<int>> alive_;
  std::atomic<bool> over_{false};

  std::mutex mutex_;
  std::vector<bool> done_;
  std::size_t loops_left_;
  loops_answered* waiter_ = nullptr;
};

/// Awaited: all loops have answered, or stop_waiting() was called, or the connection has ended.
class [[nodiscard]] loops_answered final : suspension {
 public:
  explicit loops_answered(loop_walk& of) noexcept : of_{&of} {}
  ~loops_answered() override { of_->forget(*this); }
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) noexcept {
    suspend(waiter);
    if (of_->wait(*this)) return true;
    give_up();
    return false;
  }
  void await_resume() const noexcept {}

 private:
  friend loop_walk;
  void connection_ended() override {
    if (of_->forget(*this)) resume_ended();
  }

  loop_walk* of_;
};

}  // namespace dwell::inline v0
