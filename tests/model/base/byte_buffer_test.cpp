#include "base/byte_buffer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

std::string_view text_of(const dwell::byte_buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.view().data()), buffer.view().size()};
}

class byte_buffer_model : public testing::TestWithParam<std::size_t> {};  // the longest append

TEST_P(byte_buffer_model, does_what_a_string_does) {
  dwell::block_pool pool;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    dwell::byte_buffer buffer;
    std::string model;
    for (int step = 0; step < 600; ++step) {
      switch (random() % 8) {
        case 0:
          buffer.clear();
          model.clear();
          break;
        case 1:
        case 2:
        case 3: {
          const std::size_t count = random() % (std::min(model.size(), GetParam()) + 1);
          buffer.consume(count);
          model.erase(0, count);
          break;
        }
        case 4: {
          dwell::byte_buffer moved{std::move(buffer)};
          buffer = std::move(moved);
          break;
        }
        default: {
          std::string text(random() % (GetParam() + 1), '\0');
          for (char& each : text) each = static_cast<char>('a' + random() % 26);
          buffer.append(pool, std::as_bytes(std::span{text}));
          model += text;
        }
      }
      ASSERT_EQ(buffer.size(), model.size());
      ASSERT_EQ(buffer.empty(), model.empty());
      ASSERT_EQ(text_of(buffer), model);
      if (model.empty()) {
        ASSERT_EQ(pool.in_use(), 0U) << "an empty buffer owns nothing";
      }
    }
  }
  EXPECT_EQ(pool.in_use(), 0U);
}

INSTANTIATE_TEST_SUITE_P(longest, byte_buffer_model, testing::Values(10, 300, 5'000, 50'000));

}  // namespace
