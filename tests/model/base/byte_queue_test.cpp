#include "base/byte_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

std::string random_text(std::mt19937_64& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& each : text) each = static_cast<char>('a' + random() % 26);
  return text;
}

// What the first `vectors` blocks hold.
std::string front_of(const dwell::byte_queue& queue, std::size_t vectors) {
  std::array<iovec, 64> gathered{};
  const std::size_t filled = queue.gather(std::span{gathered}.first(vectors));
  std::string text;
  for (const iovec& each : std::span{gathered}.first(filled)) {
    EXPECT_GT(each.iov_len, 0U);
    text.append(static_cast<const char*>(each.iov_base), each.iov_len);
  }
  return text;
}

class byte_queue_model : public testing::TestWithParam<std::size_t> {};  // the longest append

TEST_P(byte_queue_model, does_what_a_string_does) {
  dwell::block_pool pool;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    dwell::byte_queue queue;
    std::string model;
    for (int step = 0; step < 600; ++step) {
      switch (random() % 8) {
        case 0:
          queue.clear();
          model.clear();
          break;
        case 1:
        case 2:
        case 3: {
          const std::size_t count = random() % (std::min(model.size(), 2 * GetParam()) + 1);
          queue.consume(count);
          model.erase(0, count);
          break;
        }
        case 4: {
          dwell::byte_queue moved{std::move(queue)};
          queue = std::move(moved);
          break;
        }
        default: {
          const std::string text = random_text(random, random() % (GetParam() + 1));
          queue.append(pool, std::as_bytes(std::span{text}));
          model += text;
        }
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.empty(), model.empty());
      const std::size_t vectors = random() % 65;
      const std::string front = front_of(queue, vectors);
      ASSERT_EQ(front, std::string_view{model}.substr(0, front.size()));
      if (vectors > 0 && !model.empty()) {
        ASSERT_GT(front.size(), 0U);
      }
      if (model.empty()) {
        ASSERT_EQ(pool.in_use(), 0U) << "an empty queue owns nothing";
      }
    }
  }
  EXPECT_EQ(pool.in_use(), 0U);
}

INSTANTIATE_TEST_SUITE_P(longest, byte_queue_model, testing::Values(10, 300, 5'000, 150'000));

}  // namespace
