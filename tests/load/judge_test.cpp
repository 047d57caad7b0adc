#include "surroundings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace load {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

/// A run that nothing is to be said against.
run_result good() {
  run_result result;
  result.plan.requests_per_connection = 1;
  result.measured_s = 70;
  result.due = result.sent = result.answered = 20'000;
  for (int i = 0; i < 20'000; ++i) {
    result.latencies.request.record(100us);
    result.latencies.sent_late.record(10us);
  }
  result.client_busy = 0.5;
  return result;
}

std::vector<std::string> flags_of(run_result result) {
  judge(result);
  return result.flags;
}

TEST(load_judge, a_good_run_has_no_flags_and_no_notes) {
  run_result result = good();
  judge(result);
  EXPECT_THAT(result.flags, IsEmpty());
  EXPECT_THAT(result.notes, IsEmpty());
}

TEST(load_judge, a_busy_client) {
  run_result result = good();
  result.client_busy = 0.81;
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("81 % busy")));
}

TEST(load_judge, requests_that_were_sent_late) {
  run_result result = good();
  result.late = 1'000;
  for (int i = 0; i < 1'000; ++i) result.latencies.sent_late.record(5ms);
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("5.0 % of the requests were sent")));
  result.plan.arrival = arrival::closed;  // nothing is late that waits for the answer before
  EXPECT_THAT(flags_of(result), IsEmpty());
}

TEST(load_judge, a_rate_that_was_not_reached) {
  run_result result = good();
  result.answered = 19'000;
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("rate was not reached")));
}

TEST(load_judge, errors_by_their_names) {
  run_result result = good();
  result.errors = {{"reset", 100}, {"timeout", 50}};
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("0.75 % of the requests failed (reset 100")));
}

TEST(load_judge, ports_that_ran_out) {
  run_result result = good();
  result.ports.exhausted_at_s = 12.34;
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("ran out after 12.3 s")));
}

TEST(load_judge, ports_that_are_hard_to_find) {
  run_result result = good();
  result.ports.available = 1'000;
  result.ports.peak = 800;
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("up to 800 of the client's 1000 local ports")));
  result.flags.clear();
  result.ports.peak = 799;
  EXPECT_THAT(flags_of(result), IsEmpty());
}

TEST(load_judge, too_few_requests) {
  run_result result = good();
  result.latencies.request.clear();
  result.due = result.sent = result.answered = 500;
  for (int i = 0; i < 500; ++i) result.latencies.request.record(1ms);
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("500 requests are too few for a p99")));
}

TEST(load_judge, a_short_run_says_little_about_time_wait) {
  run_result result = good();
  result.measured_s = 10;
  judge(result);
  EXPECT_THAT(result.flags, IsEmpty());
  EXPECT_THAT(result.notes, Contains(HasSubstr("a TIME_WAIT lasts 60 s")));
}

TEST(load_judge, an_interrupted_run) {
  run_result result = good();
  result.partial = true;
  EXPECT_THAT(flags_of(result), Contains(HasSubstr("interrupted")));
}

}  // namespace
}  // namespace load
