#include "deadline/tick.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace {

using namespace std::chrono_literals;
using dwell::before;
using dwell::tick;

TEST(tick, differences_cross_the_wrap) {
  const tick last{0xffff'ffff};
  const tick first{0};
  EXPECT_EQ(first - last, 1);
  EXPECT_EQ(last - first, -1);
  EXPECT_TRUE(before(last, first));
  EXPECT_FALSE(before(first, last));
  EXPECT_FALSE(before(first, first));
  EXPECT_EQ(last + 1ms, first);
  EXPECT_EQ(first + -1ms, last);
}

TEST(tick, the_longest_deadline_is_in_reach) {
  const tick now{0xf000'0000};
  EXPECT_TRUE(before(now, now + std::chrono::days{24}));
  EXPECT_EQ((now + std::chrono::days{24}) - now, 24 * 86'400'000);
}

TEST(tick, is_not_an_order_and_cannot_be_taken_for_one) {
  const tick a{0};
  const tick b{0x5555'5555};
  const tick c{0xaaaa'aaaa};
  EXPECT_TRUE(before(a, b) && before(b, c) && before(c, a));
  static_assert(!std::is_invocable_v<std::less<>, tick, tick>);
}

TEST(tick, is_made_from_numbers_only_on_purpose) {
  static_assert(!std::is_convertible_v<std::uint32_t, tick>);
  static_assert(!std::is_convertible_v<tick, std::uint32_t>);
  static_assert(sizeof(tick) == 4);
}

}  // namespace
