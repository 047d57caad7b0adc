#include "verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace load {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

run_result run(std::uint64_t requests_per_connection, nanoseconds latency, double cpu_us_each) {
  run_result result;
  result.plan.requests_per_connection = requests_per_connection;
  result.plan.rate = 1'000;
  result.due = result.sent = result.answered = 1'000;
  for (int i = 0; i < 1'000; ++i) result.latencies.request.record(latency);
  result.client_cpu = {cpu_us_each * 250, cpu_us_each * 250};
  result.server_cpu = cpu_time{cpu_us_each * 250, cpu_us_each * 250};
  return result;
}

/// Short takes three times the CPU, and 2, 3, 4 times the p99.
report comparison() {
  report about;
  about.columns.resize(2);
  about.columns[0].name = "long";
  about.columns[1].name = "short, client closes";
  for (int i = 0; i < 3; ++i) {
    about.columns[0].at_rate.push_back(run(0, 100us, 20));
    about.columns[1].at_rate.push_back(run(1, 200us + i * 100us, 60));
  }
  return about;
}

TEST(load_verdict, says_medians_with_their_range) {
  report about = comparison();
  about.columns[1].at_rate[0].ports = {.available = 28'232, .predicted_exhaustion_s = 28.2};
  conclude(about);
  EXPECT_THAT(about.withheld, IsEmpty());
  EXPECT_EQ(about.verdict,
            "At 1000 requests/s, short connections (client closes) cost 3.0× the CPU (3.0 to 3.0) "
            "and 3.0× the p99 (2.0 to 4.0) of long ones; the client's 28232 ports would run out "
            "after 28 s.");
}

TEST(load_verdict, what_was_seen_goes_before_what_was_foreseen) {
  report about = comparison();
  about.columns[1].at_rate[0].ports.predicted_exhaustion_s = 28.2;
  about.columns[1].time_wait = run(1, 1ms, 60);
  about.columns[1].time_wait->ports.exhausted_at_s = 27.6;
  conclude(about);
  EXPECT_THAT(about.verdict, HasSubstr("ports run out after 28 s"));
}

TEST(load_verdict, a_doubtful_repeat_does_not_count_and_is_named) {
  report about = comparison();
  about.columns[1].at_rate[2].flags.emplace_back("the client was 90 % busy");
  conclude(about);
  EXPECT_THAT(about.verdict, HasSubstr("2.5× the p99 (2.0 to 3.0)"));
  EXPECT_THAT(about.remarks, Contains(HasSubstr("1 of 3 runs were doubtful")));
}

TEST(load_verdict, withheld_when_most_are_doubtful) {
  report about = comparison();
  for (int i = 0; i < 2; ++i) {
    about.columns[0].at_rate[static_cast<std::size_t>(i)].flags.emplace_back("the client was busy");
  }
  conclude(about);
  EXPECT_EQ(about.verdict, "");
  EXPECT_THAT(about.withheld, Contains(HasSubstr("long: 2 of 3 runs")));
}

TEST(load_verdict, withheld_when_there_is_nothing_to_compare) {
  report about = comparison();
  about.columns.pop_back();
  conclude(about);
  EXPECT_EQ(about.verdict, "");
  EXPECT_THAT(about.withheld, Not(IsEmpty()));
}

TEST(load_verdict, without_the_servers_cpu_none_is_claimed) {
  report about = comparison();
  for (column& each : about.columns) {
    for (run_result& one : each.at_rate) one.server_cpu.reset();
  }
  conclude(about);
  EXPECT_THAT(about.verdict, Not(HasSubstr("CPU")));
  EXPECT_THAT(about.verdict, HasSubstr("3.0× the p99"));
}

TEST(load_verdict, a_highest_rate_that_was_the_clients_is_called_that) {
  report about = comparison();
  column& brief = about.columns[1];
  brief.highest_rate = 9'000;
  brief.search.push_back(run(1, 1ms, 60));
  brief.search[0].plan.rate = 9'000;
  conclude(about);
  EXPECT_THAT(about.remarks, Contains(HasSubstr("sustained 9000 requests/s at most")));
  EXPECT_THAT(about.remarks, Not(Contains(HasSubstr("server may carry more"))));
  brief.search[0].client_busy = 0.95;
  about.remarks.clear();
  conclude(about);
  EXPECT_THAT(about.remarks, Contains(HasSubstr("the server may carry more")));
}

}  // namespace
}  // namespace load
