#include "search.hpp"

#include <gtest/gtest.h>

namespace load {
namespace {

using namespace std::chrono_literals;

/// How many tries a server that carries `limit` takes, and what they find.
std::pair<int, std::optional<double>> look_for(double limit, double start, double most = 1e6) {
  rate_search search{start, most};
  int tries = 0;
  while (const auto rate = search.next()) {
    EXPECT_LE(*rate, most);
    search.tell(*rate, *rate <= limit);
    if (++tries > 50) break;
  }
  return {tries, search.highest()};
}

TEST(load_search, finds_the_highest_within_12_percent) {
  for (double limit = 3; limit < 9e5; limit *= 1.7) {
    const auto [tries, found] = look_for(limit, 1'000);
    ASSERT_TRUE(found) << limit;
    EXPECT_LE(*found, limit);
    EXPECT_GE(*found * 1.13, limit);
    EXPECT_LE(tries, 13) << limit;
  }
}

TEST(load_search, stops_at_the_most) { EXPECT_EQ(look_for(1e9, 1'000).second, 1e6); }

TEST(load_search, gives_up_where_nothing_is_sustained) {
  EXPECT_EQ(look_for(0, 1'000).second, std::nullopt);
}

run_result good() {
  run_result result;
  result.due = result.sent = result.answered = 1'000;
  for (int i = 0; i < 1'000; ++i) result.latencies.request.record(1ms);
  return result;
}

TEST(load_search, what_sustained_means) {
  EXPECT_TRUE(sustains(good(), 20ms));
  EXPECT_FALSE(sustains(good(), 500us));
  run_result lost = good();
  lost.answered = 950;
  EXPECT_FALSE(sustains(lost, 20ms));
  run_result failing = good();
  failing.errors["reset"] = 2;
  EXPECT_FALSE(sustains(failing, 20ms));
  EXPECT_FALSE(sustains(run_result{}, 20ms));
}

}  // namespace
}  // namespace load
