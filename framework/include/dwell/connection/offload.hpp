#pragma once

#include <dwell/connection/suspension.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>

namespace dwell::inline v0 {

/// A call that runs on a worker thread while the coroutine that awaits it is suspended.
class offload_job : public suspension {
 public:
  /// On a worker, once. Then the coroutine goes on, and this may be gone.
  void run_and_resume() {
    run();
    resume_later();
  }

 protected:
  ~offload_job() override = default;
  void start(std::coroutine_handle<> sleeper);

 private:
  virtual void run() noexcept = 0;
};

/// Awaited; see offload().
template <class F>
class [[nodiscard]] offload_operation final : public offload_job {
 public:
  using result = std::invoke_result_t<F&>;

  explicit offload_operation(F& work) noexcept : work_{&work} {}
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> sleeper) {
    start(sleeper);
  }
  result await_resume() { return outcome_.take(); }

 private:
  void run() noexcept override {
    try {
      if constexpr (std::is_void_v<result>) {
        (*work_)();
      } else {
        outcome_.succeed((*work_)());
      }
    } catch (...) {
      outcome_.fail();
    }
  }

  F* work_;
  outcome<result> outcome_;
};

/// Runs `work()` on a thread of server_options::workers and comes back to the loop with what it
/// returns or throws: for calls that take long or block. Meanwhile the connection is in its handle
/// phase, so deadlines.handle bounds it; but `work` runs to its end even when the connection ends
/// first, the coroutine's frame stays until then, and so it may refer to what the coroutine owns.
/// What waits for a thread waits in order; a coroutine has one entry in that queue at most, so
/// server_options::connections bounds it. ~server drops what has not begun and waits for what has.
///
/// `work` is yours and stays where it is. Name it on the line before, or capture by reference only:
/// GCC 12.2 destroys twice what a closure in a co_await expression holds.
///
///     auto digest = [text = std::move(text)] { return slow_hash(text); };
///     send(co_await dwell::offload(digest));
template <class F>
offload_operation<std::remove_reference_t<F>> offload(F&& work) noexcept {
  static_assert(std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<F>,
                "dwell: GCC 12 destroys twice what a closure made inside a co_await expression "
                "holds; name it on "
                "the line before: auto work = [...] {...}; co_await dwell::offload(work);");
  return offload_operation<std::remove_reference_t<F>>{work};
}

}  // namespace dwell::inline v0
