#include "base/recent_count.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace dwell {
namespace {

TEST(recent_count, forgets_after_a_minute) {
  recent_count counted;
  counted.add(5'999);
  counted.add(6'000);
  EXPECT_EQ(counted.read(6'000), 2U);
  EXPECT_EQ(counted.read(64'999), 2U);
  EXPECT_EQ(counted.read(65'000), 1U);
  EXPECT_EQ(counted.read(66'000), 0U);
}

TEST(recent_count, is_none_before_the_first) {
  const recent_count counted;
  EXPECT_EQ(counted.read(0), 0U);
  EXPECT_EQ(counted.read(1'000'000'000'000), 0U);
}

/// Against a list of all seconds, also where the seconds wrap.
TEST(recent_count, agrees_with_a_list) {
  for (const std::uint64_t start : {std::uint64_t{0}, (std::uint64_t{1} << 32U) * 1'000 - 90'000}) {
    std::mt19937_64 random{start};
    recent_count counted;
    std::deque<std::uint64_t> all;
    for (std::uint64_t now = start; now < start + 400'000; now += random() % 3'000) {
      for (std::uint64_t more = random() % 3; more > 0; --more) {
        counted.add(now);
        all.push_back(now / 1'000);
      }
      while (!all.empty() && all.front() + recent_count::seconds <= now / 1'000) all.pop_front();
      ASSERT_EQ(counted.read(now), all.size()) << now;
    }
  }
}

}  // namespace
}  // namespace dwell
