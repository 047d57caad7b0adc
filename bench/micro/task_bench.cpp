// What a coroutine costs: an await that finishes at once, one that suspends, a frame from the pool.

#include <dwell/connection/task.hpp>

#include "base/block_pool.hpp"

#include <benchmark/benchmark.h>

#include <coroutine>
#include <cstddef>
#include <utility>

namespace {

using dwell::task;
using dwell::task_promise_base;

struct event {
  struct wait {
    event* what;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const { what->waiter = waiter; }
    void await_resume() const {}
  };
  wait operator co_await() { return {this}; }
  std::coroutine_handle<> waiter;
};

// Runs a task as a connection does.
struct runner {
  struct promise_type : task_promise_base {
    runner get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;
};

template <class Body>
void run(Body& body) {
  const auto start = [&]() -> runner { co_await body(); };
  const runner running = start();
  task_promise_base::resume(running.frame);
  running.frame.destroy();
}

[[gnu::noinline]] task<int> immediate(int value) { co_return value + 1; }

[[gnu::noinline]] task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await nested(depth - 1);
}

[[gnu::noinline]] task<int> waits(event& happening) {
  co_await happening;
  co_return 1;
}

// A frame made, run and destroyed, without a suspension.
void await_immediate(benchmark::State& state) {
  const auto body = [&]() -> task<> {
    int total = 0;
    for (auto _ : state) total = co_await immediate(total);
    benchmark::DoNotOptimize(total);
  };
  run(body);
}
BENCHMARK(await_immediate);

void await_eight_deep(benchmark::State& state) {
  const auto body = [&]() -> task<> {
    for (auto _ : state) benchmark::DoNotOptimize(co_await nested(8));
  };
  run(body);
}
BENCHMARK(await_eight_deep);

// The same with a suspension and a resumption.
void await_suspended(benchmark::State& state) {
  event happening;
  const auto body = [&]() -> task<> {
    for (auto _ : state) benchmark::DoNotOptimize(co_await waits(happening));
  };
  const auto start = [&]() -> runner { co_await body(); };
  const runner running = start();
  task_promise_base::resume(running.frame);
  while (happening.waiter) task_promise_base::resume(std::exchange(happening.waiter, nullptr));
  running.frame.destroy();
}
BENCHMARK(await_suspended);

// What the two above spend on memory outside of a loop, and what a loop's pool spends instead.
void frame_from_heap(benchmark::State& state) {
  for (auto _ : state) {
    void* const frame = dwell::take_frame(120);
    benchmark::DoNotOptimize(frame);
    dwell::give_frame(frame, 120);
  }
}
BENCHMARK(frame_from_heap);

void frame_from_pool(benchmark::State& state) {
  dwell::block_pool pool;
  for (auto _ : state) {
    std::byte* const frame = pool.take(128);
    benchmark::DoNotOptimize(frame);
    pool.give(frame, 128);
  }
}
BENCHMARK(frame_from_pool);

}  // namespace
