#include <dwell/connection/task.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dwell {
namespace {

// Runs a task from outside of any, as a connection does.
class runner {
 public:
  struct promise_type : task_promise_base {
    runner get_return_object() {
      return runner{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    void return_void() {}
    void unhandled_exception() { failure = std::current_exception(); }
    std::exception_ptr failure;
  };

  runner(runner&& other) noexcept : frame_{std::exchange(other.frame_, nullptr)} {}
  runner& operator=(runner&&) = delete;
  ~runner() {
    if (frame_) frame_.destroy();
  }

  bool done() const { return frame_.done(); }
  void start() { task_promise_base::resume(frame_); }
  void rethrow() const {
    if (frame_.promise().failure) std::rethrow_exception(frame_.promise().failure);
  }

 private:
  explicit runner(std::coroutine_handle<promise_type> frame) : frame_{frame} {}
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
runner run_to(task<T> what, T& result) {
  result = co_await std::move(what);
}

runner run(task<> what) { co_await std::move(what); }

template <class T>
T result_of(task<T> what) {
  T result{};
  runner running = run_to(std::move(what), result);
  running.start();
  EXPECT_TRUE(running.done());
  running.rethrow();
  return result;
}

// Something to wait for that the test makes happen. (GCC 12 copies an awaiter that is named by
// reference.)
class event {
 public:
  struct wait {
    event* what;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const { what->waiter_ = waiter; }
    void await_resume() const {}
  };
  wait operator co_await() { return {this}; }
  bool awaited() const { return static_cast<bool>(waiter_); }
  void happen() { task_promise_base::resume(std::exchange(waiter_, nullptr)); }

 private:
  std::coroutine_handle<> waiter_;
};

// How far apart the places were that the stack had grown to.
class stack_range {
 public:
  void note() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    low_ = std::min(low_, here);
    high_ = std::max(high_, here);
  }
  std::size_t size() const { return high_ - low_; }

 private:
  std::uintptr_t low_ = UINTPTR_MAX;
  std::uintptr_t high_ = 0;
};

struct counted {
  explicit counted(int& live) : live_{&live} { ++*live_; }
  counted(const counted& other) : live_{other.live_} { ++*live_; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*live_; }
  int* live_;
};

task<int> three() { co_return 3; }
task<int> sum(int a, int b) { co_return a + b + co_await three(); }

TEST(task, does_nothing_until_awaited) {
  bool ran = false;
  auto body = [&]() -> task<> {
    ran = true;
    co_return;
  };
  task<> made = body();
  EXPECT_FALSE(ran);
  runner running = run(std::move(made));
  EXPECT_FALSE(ran);
  running.start();
  EXPECT_TRUE(ran);
}

TEST(task, returns_a_value) { EXPECT_EQ(result_of(sum(1, 2)), 6); }

TEST(task, returns_what_can_only_be_moved) {
  auto body = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); };
  EXPECT_EQ(*result_of(body()), 7);
}

TEST(task, returns_what_has_no_default_and_is_built_with_braces) {
  struct point {
    int x;
    std::string name;
  };
  struct no_default {
    explicit no_default(point from) : held{std::move(from)} {}
    point held;
  };
  auto make = []() -> task<point> {
    co_return {.x = 4, .name = "long enough for a string to be on the heap"};
  };
  auto wrap = [&]() -> task<no_default> { co_return no_default{co_await make()}; };
  auto body = [&]() -> task<int> {
    const no_default made = co_await wrap();
    co_return made.held.x + static_cast<int>(made.held.name.size());
  };
  EXPECT_EQ(result_of(body()), 4 + 42);
}

TEST(task, throws_into_its_awaiter) {
  auto fail = []() -> task<int> {
    throw std::runtime_error{"no"};
    co_return 1;
  };
  auto pass = [&]() -> task<int> { co_return co_await fail(); };
  auto body = [&]() -> task<std::string> {
    try {
      co_await pass();
    } catch (const std::runtime_error& failure) {
      co_return failure.what();
    }
    co_return "nothing thrown";
  };
  EXPECT_EQ(result_of(body()), "no");
  EXPECT_THROW(result_of(pass()), std::runtime_error);
}

TEST(task, throws_into_its_awaiter_after_a_suspension) {
  event happening;
  auto fail = [&]() -> task<> {
    co_await happening;
    throw std::runtime_error{"late"};
  };
  bool caught = false;
  auto body = [&]() -> task<> {
    try {
      co_await fail();
    } catch (const std::runtime_error&) {
      caught = true;
    }
  };
  runner running = run(body());
  running.start();
  EXPECT_FALSE(caught);
  happening.happen();
  EXPECT_TRUE(caught);
  EXPECT_TRUE(running.done());
}

TEST(task, goes_on_when_what_it_waits_for_has_happened) {
  event happening;
  std::vector<std::string> order;
  auto inner = [&]() -> task<int> {
    order.push_back("inner begins");
    co_await happening;
    order.push_back("inner ends");
    co_return 5;
  };
  auto outer = [&]() -> task<int> {
    order.push_back("outer begins");
    const int got = co_await inner();
    order.push_back("outer ends");
    co_return got;
  };
  int result = 0;
  runner running = run_to(outer(), result);
  running.start();
  EXPECT_TRUE(happening.awaited());
  EXPECT_FALSE(running.done());
  happening.happen();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(result, 5);
  EXPECT_THAT(order,
              testing::ElementsAre("outer begins", "inner begins", "inner ends", "outer ends"));
}

TEST(task, moves_with_its_frame) {
  task<int> first = three();
  EXPECT_TRUE(first);
  task<int> second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is the question
  task<int> third;
  EXPECT_FALSE(third);
  third = std::move(second);
  EXPECT_EQ(result_of(std::move(third)), 3);
  static_assert(!std::is_copy_constructible_v<task<int>>);
  static_assert(!std::is_copy_assignable_v<task<int>>);
  static_assert(std::is_nothrow_move_constructible_v<task<int>>);
  static_assert(std::is_nothrow_move_assignable_v<task<int>>);
}

TEST(task, destroys_what_was_never_awaited) {
  int live = 0;
  auto body = [](counted) -> task<> { co_return; };
  {
    const task<> made = body(counted{live});
    EXPECT_EQ(live, 1);
  }
  EXPECT_EQ(live, 0);
}

TEST(task, destroys_a_suspended_chain_from_its_outermost_frame) {
  int live = 0;
  event happening;
  auto inner = [&]() -> task<> {
    const counted local{live};
    co_await happening;
  };
  auto outer = [&]() -> task<> {
    const counted local{live};
    co_await inner();
  };
  {
    runner running = run(outer());
    running.start();
    EXPECT_TRUE(happening.awaited());
    EXPECT_EQ(live, 2);
  }
  EXPECT_EQ(live, 0);
}

TEST(task, a_million_immediate_awaits_take_no_stack) {
  constexpr int count = 1'000'000;
  stack_range stack;
  auto immediate = [&]() -> task<int> {
    stack.note();
    co_return 1;
  };
  auto body = [&]() -> task<int> {
    int total = 0;
    for (int i = 0; i < count; ++i) total += co_await immediate();
    co_return total;
  };
  EXPECT_EQ(result_of(body()), count);
  EXPECT_LT(stack.size(), 1'000U);
}

TEST(task, a_million_awaits_that_suspend_take_no_stack) {
  constexpr int count = 1'000'000;
  stack_range stack;
  event happening;
  auto suspends = [&]() -> task<int> {
    co_await happening;
    stack.note();
    co_return 1;
  };
  int total = 0;
  auto body = [&]() -> task<> {
    for (int i = 0; i < count; ++i) {
      total += co_await suspends();
      stack.note();
    }
  };
  runner running = run(body());
  running.start();
  while (happening.awaited()) happening.happen();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(total, count);
  EXPECT_LT(stack.size(), 1'000U);
}

// Each task's end resumes the one that awaits it: a thousand of them one after another, not inside
// each other.
TEST(task, a_chain_that_ends_takes_no_stack) {
  stack_range stack;
  event happening;
  std::function<task<int>(int)> nest = [&](int depth) -> task<int> {
    if (depth == 0) {
      co_await happening;
      co_return 0;
    }
    const int below = co_await nest(depth - 1);
    stack.note();
    co_return below + 1;
  };
  int result = 0;
  runner running = run_to(nest(1'000), result);
  running.start();
  happening.happen();
  EXPECT_EQ(result, 1'000);
  EXPECT_LT(stack.size(), 1'000U);
}

TEST(task, may_suspend_on_some_awaits_only) {
  event happening;
  auto maybe = [&](bool suspends) -> task<int> {
    if (suspends) co_await happening;
    co_return 1;
  };
  auto body = [&]() -> task<int> {
    int total = 0;
    for (int i = 0; i < 1'000; ++i) total += co_await maybe(i % 3 == 0);
    co_return total;
  };
  int total = 0;
  runner running = run_to(body(), total);
  running.start();
  int happened = 0;
  for (; happening.awaited(); ++happened) happening.happen();
  EXPECT_EQ(happened, 334);
  EXPECT_EQ(total, 1'000);
}

// What GCC 12.2 gets right, in every form the documentation shows.
TEST(task, destroys_each_argument_once) {
  int live = 0;
  event happening;
  auto by_value = [&](counted) -> task<int> {
    co_await happening;
    co_return 1;
  };
  auto by_reference = [&](const counted&) -> task<int> {
    co_await happening;
    co_return 1;
  };
  auto call = [&](auto& what) -> task<int> {
    co_await happening;
    co_return what();
  };
  auto body = [&]() -> task<int> {
    const counted named{live};
    auto closure = [named] { return 1; };
    int total = 0;
    total += co_await by_value(named);
    total += co_await by_value(counted{live});
    total += co_await by_reference(named);
    total += co_await by_reference(counted{live});
    total += co_await call(closure);
    if (total > 0 && co_await by_value(named) == 1) ++total;
    while (total < 8 && co_await by_reference(counted{live}) == 1) ++total;
    co_return total;
  };
  int total = 0;
  runner running = run_to(body(), total);
  running.start();
  while (happening.awaited()) happening.happen();
  EXPECT_EQ(total, 8);
  EXPECT_EQ(live, 0);
}

struct aggregate {
  std::string text;
};
struct plain_aggregate {
  int number;
};

TEST(task, refuses_parameters_that_invite_a_double_free) {
  const auto closure = [text = std::string{}] { return text.size(); };
  const auto plain_closure = [] {};
  static_assert(awaitable_parameter<int>);
  static_assert(awaitable_parameter<std::string>);
  static_assert(awaitable_parameter<aggregate&>);
  static_assert(awaitable_parameter<const aggregate&>);
  static_assert(awaitable_parameter<plain_aggregate>);
  static_assert(awaitable_parameter<decltype(plain_closure)>);
  static_assert(awaitable_parameter<const decltype(closure)&>);
#if defined(__GNUC__) && !defined(__clang__)
  static_assert(!awaitable_parameter<aggregate>);
  static_assert(!awaitable_parameter<aggregate&&>);
  static_assert(!awaitable_parameter<std::array<std::string, 2>>);
  static_assert(!awaitable_parameter<decltype(closure)>);
  static_assert(!awaitable_parameter<std::function<void()>>);
#else
  static_assert(awaitable_parameter<aggregate>);
#endif
}

}  // namespace
}  // namespace dwell
