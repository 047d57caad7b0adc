#include "base/block_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define DWELL_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DWELL_TEST_ASAN 1
#endif
#endif

#ifdef DWELL_TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace {

using dwell::block_pool;

TEST(block_pool, sizes_waste_a_fifth_at_most) {
  EXPECT_EQ(block_pool::rounded(0), 64U);
  for (std::size_t bytes = 1; bytes <= block_pool::biggest; ++bytes) {
    const std::size_t size = block_pool::rounded(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_EQ(block_pool::rounded(size), size);
    ASSERT_EQ(size % 16, 0U);
    if (bytes > 64) {
      ASSERT_LE((size - bytes) * 5, size) << bytes;
    }
  }
  EXPECT_EQ(block_pool::rounded(block_pool::biggest + 1), block_pool::biggest + 1);
}

TEST(block_pool, blocks_are_whole_aligned_and_apart) {
  block_pool pool;
  std::vector<std::pair<std::byte*, std::size_t>> taken;
  std::size_t in_use = 0;
  for (std::size_t bytes = 1; bytes < 200'000; bytes += bytes / 3 + 1) {
    for (int twice = 0; twice < 2; ++twice) {
      std::byte* const block = pool.take(bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
      std::memset(block, static_cast<int>(taken.size()), block_pool::rounded(bytes));
      taken.emplace_back(block, bytes);
      in_use += block_pool::rounded(bytes);
      EXPECT_EQ(pool.in_use(), in_use);
    }
  }
  for (std::size_t index = 0; index < taken.size(); ++index) {
    const auto [block, bytes] = taken[index];
    EXPECT_TRUE(std::all_of(block, block + block_pool::rounded(bytes),
                            [&](std::byte each) { return each == static_cast<std::byte>(index); }));
    pool.give(block, bytes);
  }
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(block_pool, the_block_given_back_last_is_taken_first) {
  block_pool pool;
  std::byte* const first = pool.take(100);
  std::byte* const second = pool.take(100);
  pool.give(first, 100);
  pool.give(second, 100);
  EXPECT_EQ(pool.take(112), second) << "the same size, rounded";
  EXPECT_EQ(pool.take(97), first);
  pool.give(first, 100);
  pool.give(second, 100);
}

TEST(block_pool, keeps_no_more_than_its_bound) {
  block_pool pool{1'000};
  std::array<std::byte*, 20> taken{};
  for (std::byte*& block : taken) block = pool.take(128);
  EXPECT_EQ(pool.cached(), 0U);
  for (std::byte* const block : taken) pool.give(block, 128);
  EXPECT_EQ(pool.cached(), 7 * 128U);
  std::byte* const small = pool.take(64);
  pool.give(small, 64);
  EXPECT_EQ(pool.cached(), 7 * 128U + 64U) << "what still fits is kept";
  std::byte* const big = pool.take(block_pool::biggest + 1);
  pool.give(big, block_pool::biggest + 1);
  EXPECT_EQ(pool.cached(), 7 * 128U + 64U);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(block_pool, a_bound_of_zero_keeps_nothing) {
  block_pool pool{0};
  pool.give(pool.take(64), 64);
  EXPECT_EQ(pool.cached(), 0U);
}

#ifdef DWELL_TEST_ASAN
TEST(block_pool, what_was_given_back_is_poisoned) {
  block_pool pool;
  std::byte* const block = pool.take(200);
  EXPECT_EQ(__asan_region_is_poisoned(block, block_pool::rounded(200)), nullptr);
  pool.give(block, 200);
  EXPECT_TRUE(__asan_address_is_poisoned(block));
  EXPECT_TRUE(__asan_address_is_poisoned(block + block_pool::rounded(200) - 1));
  ASSERT_EQ(pool.take(200), block);
  EXPECT_EQ(__asan_region_is_poisoned(block, block_pool::rounded(200)), nullptr);
  pool.give(block, 200);
}
#endif

}  // namespace
