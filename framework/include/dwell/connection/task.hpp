#pragma once

#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace dwell::inline v0 {

struct coroutine;

template <class T = void>
class task;

/// A value or an exception, once there is one.
template <class T>
class outcome {
 public:
  template <class... Arguments>
  void succeed(Arguments&&... arguments) {
    value_.emplace(std::forward<Arguments>(arguments)...);
  }
  void fail() noexcept { error_ = std::current_exception(); }
  T take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

template <>
class outcome<void> {
 public:
  void succeed() noexcept {}
  void fail() noexcept { error_ = std::current_exception(); }
  void take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  std::exception_ptr error_;
};

/// Memory of coroutine frames: from the pool of the loop that runs, which the frame remembers, so
/// that it can be given back by whoever destroys it; from operator new outside of a loop. Throws
/// std::bad_alloc: out of the call that would have made the task, and so like any exception of the
/// caller's.
void* take_frame(std::size_t size);
void give_frame(void* frame, std::size_t size) noexcept;

/// What every task's promise does.
class task_promise_base {
 public:
  /// Resumes a suspended task, and when it ends with that who awaits it, and so on. An awaiter is
  /// resumed from here and not out of the ended task's final suspension: that would take stack for
  /// each, and would destroy a frame inside one of its own calls (a bug of GCC 15.2).
  static void resume(std::coroutine_handle<> suspended) {
    while (suspended) {
      suspended.resume();
      suspended = std::exchange(next, nullptr);
    }
  }

  static void* operator new(std::size_t size) { return take_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { give_frame(frame, size); }

  struct hand_over {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      next = ended.promise().awaiter;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  hand_over final_suspend() const noexcept { return {}; }

  /// Null while the task still runs inside its awaiter's start, which then goes on by itself.
  std::coroutine_handle<> awaiter;

 private:
  static inline constinit thread_local std::coroutine_handle<> next{};
};

template <class T>
class task_promise final : public task_promise_base {
 public:
  task<T> get_return_object() noexcept;
  template <class Value = T>
  requires std::convertible_to<Value, T>
  void return_value(Value&& value) { result.succeed(std::forward<Value>(value)); }
  void unhandled_exception() noexcept { result.fail(); }

  outcome<T> result;
};

template <>
class task_promise<void> final : public task_promise_base {
 public:
  task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void unhandled_exception() noexcept { result.fail(); }

  outcome<void> result;
};

/// A coroutine that a handler is, or awaits: `task<int> count(connection& peer) { … co_return 1;
/// }`.
///
/// Does nothing until it is awaited; then it runs at once, on the awaiter's stack, and the awaiter
/// is suspended only if it does not finish there. (So a million awaits of tasks that finish at once
/// take no stack, optimised or not, which symmetric transfer does not promise.) What it returns or
/// throws is what the await expression does. Await it once, where it is called: `co_await
/// count(peer)`, or `co_await std::move(counting)`.
///
/// Owns its frame, which comes from the loop's memory. Movable until it is awaited. For the loop's
/// thread; a task must not outlive its server. Running out of memory throws std::bad_alloc where
/// the coroutine is called, which ends that connection as `handler_failed` if the caller lets it
/// pass.
///
/// What it is called with must outlive the await: references to what the caller owns do. GCC 12.2
/// destroys twice what is built with braces, or captured by a lambda, inside a co_await expression:
/// name it on the line before. Parameters that invite this do not compile (see
/// awaitable_parameter).
template <class T>
class [[nodiscard]] task {
 public:
  static_assert(
      std::is_void_v<T> || (std::is_object_v<T> && std::move_constructible<T>),
      "dwell: a task returns void or a movable value; return a pointer instead of a reference");
  using promise_type = task_promise<T>;

  /// Awaited; see task.
  class [[nodiscard]] start {
   public:
    explicit start(std::coroutine_handle<promise_type> frame) noexcept : frame_{frame} {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> awaiter) const {
      frame_.resume();
      if (frame_.done()) return false;
      frame_.promise().awaiter = awaiter;
      return true;
    }
    T await_resume() const { return frame_.promise().result.take(); }

   private:
    std::coroutine_handle<promise_type> frame_;
  };

  task() noexcept = default;
  task(task&& other) noexcept : frame_{std::exchange(other.frame_, nullptr)} {}
  task& operator=(task&& other) noexcept {
    task{std::move(other)}.swap(*this);
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }

  /// True unless it is default-made or moved from.
  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  start operator co_await() && noexcept {
    assert(frame_ && !frame_.done() && "dwell: a task is awaited once");
    return start{frame_};
  }

 private:
  friend promise_type;
  friend coroutine;
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_{frame} {}
  void swap(task& other) noexcept { std::swap(frame_, other.frame_); }

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

/// False for what invites `co_await f({.name = text})` or `co_await f([text] { … })`, which
/// GCC 12.2 turns into a double free: an aggregate or a closure with a destructor, taken by value
/// or by rvalue reference. Take it as `T&`, so that it has a name before the await. Always true
/// with other compilers.
template <class Parameter>
constexpr bool is_awaitable_parameter() {
#if defined(__GNUC__) && !defined(__clang__)
  using value = std::remove_cvref_t<Parameter>;
  if constexpr (!std::is_lvalue_reference_v<Parameter> && std::is_class_v<value>) {
    constexpr bool callable = requires { &value::operator(); };
    return std::is_trivially_destructible_v<value> || !(std::is_aggregate_v<value> || callable);
  }
#endif
  return true;
}
template <class Parameter>
inline constexpr bool awaitable_parameter = is_awaitable_parameter<Parameter>();

}  // namespace dwell::inline v0

template <class T, class... Parameters>
struct std::coroutine_traits<dwell::task<T>, Parameters...> {
  static_assert((dwell::awaitable_parameter<Parameters> && ...),
                "dwell: GCC 12 destroys twice what is built with braces or captured inside a "
                "co_await expression; "
                "take aggregates and closures as T& and name them on the line before");
  using promise_type = dwell::task_promise<T>;
};
