// What the load tool pays for each latency it keeps, and for a percentile at the end.

#include "load/histogram.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace {

using std::chrono::nanoseconds;

/// Latencies between a microsecond and a second, as even as they come over the powers of two.
nanoseconds next_latency(std::uint64_t& state) noexcept {
  state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
  return nanoseconds{static_cast<std::int64_t>(1'000 + (state >> (34 + (state >> 60U))))};
}

void load_histogram_record(benchmark::State& state) {
  load::histogram latencies;
  std::uint64_t random = 1;
  for (auto _ : state) latencies.record(next_latency(random));
  benchmark::DoNotOptimize(latencies.count());
}
BENCHMARK(load_histogram_record);

void load_histogram_percentile(benchmark::State& state) {
  load::histogram latencies;
  std::uint64_t random = 1;
  for (int i = 0; i < 1'000'000; ++i) latencies.record(next_latency(random));
  for (auto _ : state) benchmark::DoNotOptimize(latencies.at(0.99));
}
BENCHMARK(load_histogram_percentile);

}  // namespace
