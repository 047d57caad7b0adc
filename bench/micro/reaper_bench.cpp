// What it costs to find the connections whose deadline has come, the closing itself left out.

#include "deadline/reaper.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace {

using dwell::duration;
using dwell::reap_budget;
using dwell::tick;

const tick start{0xffff'8000};  // 32 s before the wrap
constexpr duration idle{60'000};
constexpr std::int64_t spread = 500;  // ms over which deadlines come, as after a burst
constexpr reap_budget unbounded{.units = std::numeric_limits<std::uint32_t>::max()};

// Connections due over half a second, each reaped once: from the first touch to the look that ends
// it.
void reap_all(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  dwell::reaper reaper{start};
  reaper.grow(count);
  tick now = start;
  while (state.KeepRunningBatch(count)) {
    for (std::uint32_t i = 0; i < count; ++i) {
      reaper.expect(i, now + idle + duration{std::int64_t{i} * spread / count});
    }
    now = now + idle;
    while (reaper.size() > 0) {
      now = now + duration{1};
      reaper.advance(now);
      reaper.collect(now, unbounded, [](std::uint32_t index) {
        benchmark::DoNotOptimize(index);
        return std::optional<tick>{};
      });
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(reap_all)->Arg(15'000)->Arg(1'000'000);

// The same connections at work: each entry that comes up finds a later deadline, and is armed anew.
void look_and_wait_on(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  dwell::reaper reaper{start};
  reaper.grow(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    reaper.expect(i, start + idle + duration{std::int64_t{i} * spread / count});
  }
  tick now = start;
  std::int64_t looks = 0;
  while (state.KeepRunningBatch(count)) {
    for (looks = 0; looks < count;) {
      now = reaper.next().value_or(now);
      reaper.advance(now);
      reaper.collect(now, unbounded, [&](std::uint32_t) {
        ++looks;
        return std::optional{now + idle};
      });
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(look_and_wait_on)->Arg(15'000)->Arg(1'000'000);

}  // namespace
