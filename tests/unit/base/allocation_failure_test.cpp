// When memory runs out, a connection ends; what it had queued must still be whole.
//
// Replaces the global operator new of this program. ThreadSanitizer does not allow that beside its
// own, and nothing here has a second thread: its build goes without.

#if defined(__SANITIZE_THREAD__)
#define DWELL_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DWELL_TEST_TSAN 1
#endif
#endif

#ifndef DWELL_TEST_TSAN

#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include "base/block_pool.hpp"
#include "base/byte_buffer.hpp"
#include "base/byte_queue.hpp"
#include "base/slab.hpp"
#include "deadline/timing_wheel.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> allocations_left{never};

// While it lives, allocations fail after the first `successes`.
class memory_limit {
 public:
  explicit memory_limit(std::int64_t successes) { allocations_left = successes; }
  memory_limit(const memory_limit&) = delete;
  memory_limit& operator=(const memory_limit&) = delete;
  ~memory_limit() { allocations_left = never; }
};

}  // namespace

// These belong together: a sanitizer's own would find each other's memory foreign. Inlined,
// GCC takes what is below them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocations_left.load() != never && allocations_left.fetch_sub(1) <= 0) {
    throw std::bad_alloc{};
  }
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace {

TEST(allocation_failure, a_queue_appends_all_or_nothing) {
  const std::vector<std::byte> first(100);
  const std::vector<std::byte> second(400'000);  // a rest of the tail, and 7 blocks
  for (std::int64_t successes = 0;; ++successes) {
    dwell::block_pool pool{0};
    dwell::byte_queue queue;
    queue.append(pool, first);
    const std::size_t in_use = pool.in_use();
    bool failed = false;
    {
      const memory_limit limit{successes};
      try {
        queue.append(pool, second);
      } catch (const std::bad_alloc&) {
        failed = true;
      }
    }
    if (!failed) {
      EXPECT_GT(successes, 5) << "each of the blocks failed once";
      EXPECT_EQ(queue.size(), 400'100U);
      break;
    }
    EXPECT_EQ(queue.size(), 100U);
    EXPECT_EQ(pool.in_use(), in_use);
    queue.append(pool, first);
    EXPECT_EQ(queue.size(), 200U) << "still usable";
  }
}

TEST(allocation_failure, a_buffer_keeps_what_it_has) {
  dwell::block_pool pool{0};
  dwell::byte_buffer buffer;
  const std::vector<std::byte> first(100, std::byte{'x'});
  const std::vector<std::byte> second(10'000);
  buffer.append(pool, first);
  {
    const memory_limit limit{0};
    EXPECT_THROW(buffer.append(pool, second), std::bad_alloc);
  }
  ASSERT_EQ(buffer.size(), 100U);
  EXPECT_EQ(buffer.view().front(), std::byte{'x'});
  buffer.append(pool, second);
  EXPECT_EQ(buffer.size(), 10'100U);
}

TEST(allocation_failure, a_slab_stays_as_it_was) {
  for (std::int64_t successes = 0; successes < 2; ++successes) {
    dwell::slab<int> slab;
    {
      const memory_limit limit{successes};
      EXPECT_THROW(slab.emplace(1), std::bad_alloc);
    }
    EXPECT_EQ(slab.size(), 0U);
    EXPECT_EQ(slab.capacity(), 0U);
    EXPECT_EQ(slab.emplace(1).first, 0U);
  }
}

TEST(allocation_failure, a_wheel_stays_as_it_was) {
  dwell::timing_wheel wheel{dwell::tick{0}};
  wheel.grow(10);
  {
    const memory_limit limit{0};
    EXPECT_THROW(wheel.grow(1'000'000), std::bad_alloc);
  }
  EXPECT_EQ(wheel.capacity(), 10U);
}

// The call that would have made the task throws, into the caller's body or, without a frame for the
// handler itself, to the loop.
TEST(allocation_failure, of_a_frame_is_an_exception_of_its_connection) {
  using dwell::connection;
  using dwell::task;
  dwell::testing::simulation sim{{.seed = 1}};
  int served = 0;
  bool caught = false;
  const auto child = [](std::array<char, 100'000> frame) -> task<char> { co_return frame[0]; };
  const auto body = [&](connection& peer) -> task<> {
    const memory_limit limit{served == 2 ? 0 : never};
    try {
      co_await child({});
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    peer.send("alive");
  };
  auto& server = sim.serve({}, [&](connection& peer) {
    const memory_limit limit{++served == 1 ? 0 : never};
    return body(peer);
  });
  auto without = sim.connect(server);
  sim.advance(std::chrono::seconds{1});
  EXPECT_EQ(without.record().reason, dwell::close_reason::handler_failed);
  auto with = sim.connect(server);
  sim.advance(std::chrono::seconds{1});
  EXPECT_EQ(with.received(), "alive");
  EXPECT_TRUE(caught);
  auto after = sim.connect(server);
  sim.advance(std::chrono::seconds{1});
  EXPECT_EQ(after.received(), "alive");
}

}  // namespace

#endif
