#pragma once

#include <dwell/connection/task.hpp>

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

namespace dwell::inline v0 {

/// Awaited; see when_all().
template <std::size_t Count>
class [[nodiscard]] when_all_operation {
 public:
  explicit when_all_operation(std::array<task<>, Count> parts) noexcept
      : parts_{std::move(parts)} {}
  when_all_operation(const when_all_operation&) = delete;
  when_all_operation& operator=(const when_all_operation&) = delete;
  ~when_all_operation() = default;

  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiter) {
    awaiter_ = awaiter;
    for (task<>& part : parts_) {
      runs_[started_] = run(std::move(part));
      auto start = std::move(runs_[started_]).operator co_await();
      ++started_;
      start.await_suspend(std::noop_coroutine());
    }
    return --left_ != 0;
  }
  void await_resume() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  /// The last of them goes on with the awaiter, out of its own end.
  struct end_of_one {
    when_all_operation& all;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> one) const noexcept {
      if (--all.left_ == 0) one.promise().awaiter = all.awaiter_;
      return false;
    }
    void await_resume() const noexcept {}
  };

  task<> run(task<> part) {
    try {
      co_await std::move(part);
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
    co_await end_of_one{*this};
  }

  std::array<task<>, Count> parts_;
  std::array<task<>, Count> runs_;
  std::coroutine_handle<> awaiter_;
  std::exception_ptr failure_;
  std::size_t started_ = 0;
  std::size_t left_ = Count + 1;
};

/// Runs tasks side by side, each until it first waits, in the order given, and waits until all have
/// ended: `co_await dwell::when_all(pump(a, b), pump(b, a));`. Then throws what the first that
/// failed has thrown; the others have run to their end all the same. They are part of the coroutine
/// that awaits: of one connection they may await one read() and one write() together.
template <std::same_as<task<>>... Tasks>
auto when_all(Tasks... tasks) {
  return when_all_operation<sizeof...(Tasks)>{
      std::array<task<>, sizeof...(Tasks)>{std::move(tasks)...}};
}

}  // namespace dwell::inline v0
