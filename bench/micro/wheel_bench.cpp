// What a deadline costs: a touch on activity, an earlier deadline, an expiry.

#include "deadline/reaper.hpp"
#include "deadline/timing_wheel.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <vector>

namespace {

using dwell::duration;
using dwell::tick;

const tick start{0xffff'8000};  // 32 s before the wrap

std::vector<std::uint32_t> indices(std::int64_t count, bool shuffled) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0U);
  if (shuffled) std::ranges::shuffle(order, std::mt19937{1});
  return order;
}

// Activity on connection after connection, its deadline 60 s from then. Arguments: connections,
// random order or not.
void touch(benchmark::State& state) {
  const auto order = indices(state.range(0), state.range(1) != 0);
  dwell::reaper reaper{start};
  reaper.grow(static_cast<std::uint32_t>(order.size()));
  for (const std::uint32_t index : order) reaper.expect(index, start + duration{60'000});
  std::uint32_t passed = 0;
  while (state.KeepRunningBatch(state.range(0))) {
    for (const std::uint32_t index : order) {
      reaper.expect(index, start + duration{60'000 + passed++ % 1000});
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(touch)->ArgsProduct({{1'000, 1'000'000}, {0, 1}});

// The same without the reaper: each activity moves the entry in the wheel.
void rearm(benchmark::State& state) {
  const auto order = indices(state.range(0), state.range(1) != 0);
  dwell::timing_wheel wheel{start};
  wheel.grow(static_cast<std::uint32_t>(order.size()));
  for (const std::uint32_t index : order) wheel.arm(index, start + duration{60'000});
  std::int64_t passed = 0;
  while (state.KeepRunningBatch(state.range(0))) {
    for (const std::uint32_t index : order) {
      wheel.arm(index, start + duration{60'000 + passed++ * 60'000 / state.range(0)});
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(rearm)->ArgsProduct({{1'000, 1'000'000}, {0, 1}});

// From arming to expiry, cascades included; due times spread over 60 s.
void expire(benchmark::State& state) {
  const auto order = indices(state.range(0), true);
  dwell::timing_wheel wheel{start};
  wheel.grow(static_cast<std::uint32_t>(order.size()));
  tick now = start;
  while (state.KeepRunningBatch(state.range(0))) {
    std::int64_t armed = 0;
    for (const std::uint32_t index : order) {
      wheel.arm(index, now + duration{1 + armed++ * 60'000 / state.range(0)});
    }
    while (wheel.size() > 0) {
      now = now + duration{1};
      std::uint32_t moves = 0xffff'ffff;
      while (auto index = wheel.pop(now, moves)) benchmark::DoNotOptimize(*index);
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(expire)->Arg(1'000)->Arg(1'000'000);

// What each wake-up of the loop pays when nothing is due.
void turn_without_work(benchmark::State& state) {
  const auto order = indices(state.range(0), true);
  dwell::reaper reaper{start};
  reaper.grow(static_cast<std::uint32_t>(order.size()));
  std::int64_t armed = 0;
  for (const std::uint32_t index : order) {
    reaper.expect(index, start + duration{30'000 + armed++ * 60'000 / state.range(0)});
  }
  std::int64_t turn = 0;
  for (auto _ : state) {
    const tick now = start + duration{turn++ / 1024 % 20'000};
    reaper.advance(now);
    benchmark::DoNotOptimize(
        reaper.collect(now, {}, [](std::uint32_t) { return std::optional<tick>{}; }));
    benchmark::DoNotOptimize(reaper.next());
  }
}
BENCHMARK(turn_without_work)->Arg(1'000'000);

}  // namespace
