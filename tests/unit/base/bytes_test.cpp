// What the models of byte_queue and byte_buffer do not show: shape of the memory, and its cost.

#include "base/byte_buffer.hpp"
#include "base/byte_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace {

using dwell::block_pool;

std::vector<std::byte> bytes(std::size_t count) { return std::vector<std::byte>(count); }

TEST(byte_queue, a_small_append_takes_a_small_block) {
  block_pool pool;
  dwell::byte_queue queue;
  queue.append(pool, bytes(100));
  EXPECT_LE(pool.in_use(), 192U);
}

TEST(byte_queue, many_small_appends_share_blocks_that_grow) {
  block_pool pool;
  dwell::byte_queue queue;
  for (int count = 0; count < 10'000; ++count) queue.append(pool, bytes(100));
  std::array<iovec, 64> vectors{};
  EXPECT_LE(queue.gather(vectors), 30U) << "a megabyte in blocks of up to 64 KiB";
  EXPECT_LE(pool.in_use(), 1'100'000U);
}

TEST(byte_queue, the_tail_is_filled_before_a_block_is_taken) {
  block_pool pool;
  dwell::byte_queue queue;
  queue.append(pool, bytes(100));
  std::array<iovec, 2> vectors{};
  const std::size_t used = pool.in_use();
  std::size_t appended = 100;
  while (pool.in_use() == used) {
    EXPECT_EQ(queue.gather(vectors), 1U);
    queue.append(pool, bytes(1));
    ++appended;
  }
  EXPECT_EQ(queue.gather(vectors), 2U);
  EXPECT_EQ(vectors[0].iov_len, appended - 1);
}

TEST(byte_queue, an_append_of_nothing_owns_nothing) {
  block_pool pool;
  dwell::byte_queue queue;
  queue.append(pool, {});
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(byte_queue, gives_its_blocks_back_when_destroyed_or_replaced) {
  block_pool pool;
  {
    dwell::byte_queue queue;
    queue.append(pool, bytes(200'000));
    dwell::byte_queue other;
    other.append(pool, bytes(10));
    other = std::move(queue);
    EXPECT_EQ(other.size(), 200'000U);
  }
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(byte_buffer, a_small_append_takes_a_small_block) {
  block_pool pool;
  dwell::byte_buffer buffer;
  buffer.append(pool, bytes(100));
  EXPECT_LE(pool.in_use(), 160U);
}

TEST(byte_buffer, small_steps_do_not_make_it_grow) {
  block_pool pool;
  dwell::byte_buffer buffer;
  buffer.append(pool, bytes(1'000));
  for (int count = 0; count < 100'000; ++count) {
    buffer.append(pool, bytes(10));
    buffer.consume(10);
  }
  EXPECT_EQ(buffer.size(), 1'000U);
  EXPECT_LE(pool.in_use(), 5'000U);
}

TEST(byte_buffer, may_be_bigger_than_the_biggest_pooled_block) {
  block_pool pool;
  dwell::byte_buffer buffer;
  for (int count = 0; count < 1'000; ++count) buffer.append(pool, bytes(1'000));
  EXPECT_EQ(buffer.size(), 1'000'000U);
  EXPECT_LE(pool.in_use(), 2'200'000U);
  buffer.clear();
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(byte_buffer, an_append_of_nothing_owns_nothing) {
  block_pool pool;
  dwell::byte_buffer buffer;
  buffer.append(pool, {});
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view().size(), 0U);
  EXPECT_EQ(pool.in_use(), 0U);
}

}  // namespace
