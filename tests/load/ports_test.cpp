#include "ports.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace load {
namespace {

TEST(load_ports, counts_the_range_without_what_is_reserved) {
  EXPECT_EQ(count_ports("32768 60999", ""), 28'232U);
  EXPECT_EQ(count_ports("32768\t60999", ""), 28'232U);
  EXPECT_EQ(count_ports("1000 1999", "80,1000,1010-1019,1990-2100"), 1'000U - 1 - 10 - 10);
  EXPECT_EQ(count_ports("", ""), 0U);
  EXPECT_EQ(count_ports("9 1", ""), 0U);
}

TEST(load_ports, counts_the_addresses_that_take_turns) {
  EXPECT_EQ(count_sources(""), 1U);
  EXPECT_EQ(count_sources("10.0.0.7"), 1U);
  EXPECT_EQ(count_sources("10.0.0.0/24"), 254U);
  EXPECT_EQ(count_sources("10.0.0.0/31"), 2U);
  EXPECT_EQ(count_sources("10.0.0.0/32"), 1U);
}

/// A client that opens `per_s` connections and closes them first, as the kernel would have it.
run_result client_first(double per_s, double available, double limit, int seconds) {
  run_result result;
  for (int at = 1; at <= seconds; ++at) {
    second one;
    one.at_s = at;
    const double made = per_s * at;
    const double gone = std::max(0.0, per_s * (at - 60));
    const double used = std::min(made - gone, limit);
    one.due = static_cast<std::uint64_t>(per_s);
    if (used > available) {
      // The part of the second after the last port had been taken.
      one.failed = static_cast<std::uint64_t>(std::min(per_s, used - available));
      result.errors["connect: out_of_ports"] += one.failed;
    }
    one.ports_used = static_cast<std::uint64_t>(std::min(used, available));
    result.seconds.push_back(one);
  }
  return result;
}

constexpr double no_limit = 1e9;

TEST(load_ports, the_moment_they_run_out_is_foreseen_and_seen) {
  for (const double rate : {40.0, 100.0, 333.0, 700.0}) {
    run_result result = client_first(rate, 2'000, no_limit, 120);
    account_ports(result, {.available = 2'000});
    ASSERT_TRUE(result.ports.predicted_exhaustion_s) << rate;
    ASSERT_TRUE(result.ports.exhausted_at_s) << rate;
    EXPECT_NEAR(*result.ports.predicted_exhaustion_s, 2'000 / rate, 0.02 * 2'000 / rate);
    EXPECT_NEAR(*result.ports.exhausted_at_s, 2'000 / rate, 0.02 * 2'000 / rate) << rate;
    EXPECT_EQ(result.ports.peak, 2'000U);
  }
}

TEST(load_ports, what_is_free_again_after_60_s_does_not_run_out) {
  run_result result = client_first(33, 2'000, no_limit, 120);
  account_ports(result, {.available = 2'000});
  EXPECT_FALSE(result.ports.predicted_exhaustion_s);
  EXPECT_FALSE(result.ports.exhausted_at_s);
  EXPECT_EQ(result.ports.peak, 1'980U);
}

TEST(load_ports, time_waits_over_the_limit_hold_no_port) {
  run_result result = client_first(100, 2'000, 1'500, 120);
  account_ports(result, {.available = 2'000, .time_waits = 1'500});
  EXPECT_FALSE(result.ports.predicted_exhaustion_s);
  EXPECT_FALSE(result.ports.exhausted_at_s);
}

TEST(load_ports, ports_that_are_used_again_early_do_not_run_out) {
  run_result result = client_first(100, 2'000, no_limit, 10);
  account_ports(result, {.available = 2'000, .reused_early = true});
  EXPECT_FALSE(result.ports.predicted_exhaustion_s);
}

TEST(load_ports, long_connections_do_not_grow) {
  run_result result;
  for (int at = 1; at <= 10; ++at) {
    second one;
    one.at_s = at;
    one.ports_used = 1'000;
    result.seconds.push_back(one);
  }
  account_ports(result, {.available = 2'000});
  EXPECT_FALSE(result.ports.predicted_exhaustion_s);
  EXPECT_EQ(result.ports.peak, 1'000U);
}

TEST(load_ports, other_errors_are_not_an_exhaustion) {
  run_result result = client_first(10, 2'000, no_limit, 10);
  result.seconds[3].failed = 1;
  result.errors["reset"] = 1;
  account_ports(result, {.available = 2'000});
  EXPECT_FALSE(result.ports.exhausted_at_s);
}

}  // namespace
}  // namespace load
