// What kept input and queued output cost, pool included.

#include "base/block_pool.hpp"
#include "base/byte_buffer.hpp"
#include "base/byte_queue.hpp"
#include "base/histogram.hpp"
#include "base/slab.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

std::vector<std::byte> bytes(std::int64_t count) {
  return std::vector<std::byte>(static_cast<std::size_t>(count), std::byte{'x'});
}

void pool_take_and_give(benchmark::State& state) {
  dwell::block_pool pool;
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    std::byte* const block = pool.take(size);
    benchmark::DoNotOptimize(block);
    pool.give(block, size);
  }
}
BENCHMARK(pool_take_and_give)->Arg(200)->Arg(16'384);

// Part of a message is kept, the rest comes, all of it is consumed.
void buffer_keep_and_complete(benchmark::State& state) {
  dwell::block_pool pool;
  dwell::byte_buffer buffer;
  const auto half = bytes(state.range(0) / 2);
  for (auto _ : state) {
    buffer.append(pool, half);
    buffer.append(pool, half);
    benchmark::DoNotOptimize(buffer.view().data());
    buffer.consume(buffer.size());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(buffer_keep_and_complete)->Arg(64)->Arg(4'096)->Arg(65'536);

// A pipeline of small messages that never quite empties.
void buffer_small_steps(benchmark::State& state) {
  dwell::block_pool pool;
  dwell::byte_buffer buffer;
  const auto message = bytes(64);
  buffer.append(pool, bytes(state.range(0)));
  for (auto _ : state) {
    buffer.append(pool, message);
    buffer.consume(message.size());
  }
  state.SetBytesProcessed(state.iterations() * 64);
}
BENCHMARK(buffer_small_steps)->Arg(1)->Arg(16'384);

// Output that the kernel did not take: queued in pieces, sent in batches of 8 vectors.
void queue_through(benchmark::State& state) {
  dwell::block_pool pool;
  dwell::byte_queue queue;
  const auto piece = bytes(state.range(0));
  std::array<iovec, 8> vectors{};
  for (auto _ : state) {
    for (int count = 0; count < 16; ++count) queue.append(pool, piece);
    while (!queue.empty()) {
      const std::size_t filled = queue.gather(vectors);
      std::size_t sent = 0;
      for (std::size_t at = 0; at < filled; ++at) sent += vectors[at].iov_len;
      queue.consume(sent);
    }
  }
  state.SetBytesProcessed(state.iterations() * 16 * state.range(0));
}
BENCHMARK(queue_through)->Arg(64)->Arg(1'024)->Arg(16'384);

void slab_emplace_and_erase(benchmark::State& state) {
  dwell::slab<std::uint64_t> slots;
  for (int count = 0; count < 1'000; ++count) slots.emplace(0U);
  for (auto _ : state) slots.erase(slots.emplace(1U).first);
}
BENCHMARK(slab_emplace_and_erase);

void histogram_record(benchmark::State& state) {
  dwell::histogram latencies;
  std::uint64_t value = 1;
  for (auto _ : state) {
    value = value * 6'364'136'223'846'793'005 + 1;
    latencies.record(value >> 40);
  }
}
BENCHMARK(histogram_record);

}  // namespace
