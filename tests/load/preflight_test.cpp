#include "preflight.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace load {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr machine_facts good{.ports = 28'232, .descriptors = 19'000, .time_wait_limit = 131'072};

plan brief(double rate) {
  plan of;
  of.requests_per_connection = 1;
  of.rate = rate;
  return of;
}

TEST(load_preflight, nothing_is_said_of_what_is_in_order) {
  EXPECT_THAT(examine(plan{}, good).flags, IsEmpty());
  EXPECT_THAT(examine(plan{}, good).notes, IsEmpty());
  EXPECT_THAT(examine(brief(400), good).flags, IsEmpty());
}

TEST(load_preflight, many_time_waits_left_from_before_are_a_doubt_and_few_are_not) {
  machine_facts facts = good;
  facts.time_waits_there = 20'000;
  EXPECT_THAT(examine(brief(100), facts).flags, Contains(HasSubstr("20000 TIME_WAITs")));
  facts.time_waits_there = 10;
  EXPECT_THAT(examine(brief(100), facts).flags, IsEmpty());
  EXPECT_THAT(examine(brief(100), facts).notes, Contains(HasSubstr("10 TIME_WAITs")));
}

TEST(load_preflight, too_few_ports_or_descriptors) {
  plan of;
  of.connections = 30'000;
  machine_facts facts = good;
  EXPECT_THAT(examine(of, facts).flags, Contains(HasSubstr("28232 local ports")));
  EXPECT_THAT(examine(of, facts).flags, Contains(HasSubstr("RLIMIT_NOFILE")));
  facts.ports = facts.descriptors = 100'000;
  EXPECT_THAT(examine(of, facts).flags, IsEmpty());
}

TEST(load_preflight, ports_that_run_out_within_the_run_are_a_doubt) {
  plan of = brief(10'000);
  EXPECT_THAT(examine(of, good).flags, Contains(HasSubstr("last 3 s, less than the run")));
  of.rate = 1'000;
  EXPECT_THAT(examine(of, good).flags, IsEmpty());
  EXPECT_THAT(examine(of, good).notes, Contains(HasSubstr("carry 471/s")));
  of.ending = ending::server;
  EXPECT_THAT(examine(of, good).notes, IsEmpty());
}

TEST(load_preflight, loopback_hides_what_a_network_shows) {
  machine_facts facts = good;
  facts.loopback = true;
  facts.tw_reuse = 2;
  const preflight found = examine(brief(10'000), facts);
  EXPECT_TRUE(found.ports.reused_early);
  EXPECT_THAT(found.notes, Contains(HasSubstr("tcp_tw_reuse = 2 over loopback")));
  facts.loopback = false;
  EXPECT_FALSE(examine(brief(10'000), facts).ports.reused_early);
}

TEST(load_preflight, one_processor_for_both_is_a_doubt) {
  machine_facts facts = good;
  facts.same_processor = true;
  EXPECT_THAT(examine(plan{}, facts).flags, Contains(HasSubstr("same processor")));
}

TEST(load_preflight, more_time_waits_than_the_kernel_keeps) {
  machine_facts facts = good;
  facts.time_wait_limit = 5'000;
  plan of = brief(400);
  of.ending = ending::server;
  EXPECT_THAT(examine(of, facts).notes, Contains(HasSubstr("tcp_max_tw_buckets = 5000")));
}

}  // namespace
}  // namespace load
