#include "surroundings.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <string>

namespace load {
namespace {

constexpr double most_busy = 0.80;        // beyond it the client's own queue is what is measured
constexpr double most_late = 0.01;        // of all sent, over 1 ms after the intended time
constexpr double most_late_p99_us = 1e3;  // the client's own share of a p99
constexpr double least_of_rate = 0.98;
constexpr double most_failed = 0.001;
constexpr double most_ports = 0.8;  // in use: beyond it a free one is hard to find
constexpr double time_wait_s = 60;

double p99_us(const histogram& of) { return static_cast<double>(of.at(0.99).count()) / 1e3; }

double seconds_of(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

void judge_client(run_result& result) {
  if (result.client_busy > most_busy) {
    result.flags.push_back(
        fmt::format("the client was {:.0f} % busy: the figures are its own as much as the "
                    "server's; lower --rate or raise --threads",
                    result.client_busy * 100));
  }
  if (result.plan.arrival == arrival::closed) return;
  const double late_us = p99_us(result.latencies.sent_late);
  const double share =
      result.sent == 0 ? 0 : static_cast<double>(result.late) / static_cast<double>(result.sent);
  if (late_us > most_late_p99_us && share > most_late) {
    result.flags.push_back(
        fmt::format("{:.1f} % of the requests were sent over 1 ms late (p99 {:.1f} ms): the "
                    "client was held up, or all its connections were busy",
                    share * 100, late_us / 1e3));
  }
}

void judge_outcome(run_result& result) {
  std::uint64_t failed = 0;
  std::string classes;
  for (const auto& [what, count] : result.errors) {
    failed += count;
    classes += fmt::format("{}{} {}", classes.empty() ? "" : ", ", what, count);
  }
  const auto due = static_cast<double>(result.due);
  const double share = result.due == 0 ? 0 : static_cast<double>(failed) / due;
  if (share > most_failed) {
    result.flags.push_back(
        fmt::format("{:.2f} % of the requests failed ({})", share * 100, classes));
  }
  if (result.ports.exhausted_at_s) {
    result.flags.push_back(
        fmt::format("the client's local ports ran out after {:.1f} s ({} for this destination)",
                    *result.ports.exhausted_at_s, result.ports.available));
  } else if (result.ports.available != 0 &&
             static_cast<double>(result.ports.peak) >=
                 most_ports * static_cast<double>(result.ports.available)) {
    result.flags.push_back(
        fmt::format("up to {} of the client's {} local ports were in use: connect(2) searches long "
                    "for a free one, and that is the client's time",
                    result.ports.peak, result.ports.available));
  }
  if (result.plan.arrival == arrival::closed || result.measured_s <= 0) return;
  // Poisson arrivals vary by themselves: what was due is the measure, not what was asked for.
  const double offered = due / result.measured_s;
  const double reached = static_cast<double>(result.answered) / result.measured_s;
  if (reached < offered * least_of_rate) {
    result.flags.push_back(
        fmt::format("the rate was not reached: {:.0f} requests/s were answered of {:.0f} due",
                    reached, offered));
  }
}

void judge_length(run_result& result) {
  const std::uint64_t answered = result.latencies.request.count();
  if (answered < 1'000) {
    result.flags.push_back(
        fmt::format("{} requests are too few for a p99: let it run for longer", answered));
  } else if (answered < 10'000) {
    result.notes.push_back(
        fmt::format("{} requests are few for a p99.9, which rests on the {} slowest", answered,
                    answered / 1'000));
  }
  const bool makes_time_waits = result.plan.requests_per_connection != 0 &&
                                result.plan.ending != ending::client_abort &&
                                result.plan.ending != ending::server_abort_after_fin &&
                                result.plan.ending != ending::server_abort;
  const double length_s = seconds_of(result.plan.warmup) + result.measured_s;
  if (makes_time_waits && length_s <= time_wait_s) {
    result.notes.push_back(
        fmt::format("the run took {:.0f} s, and a TIME_WAIT lasts 60 s: their number was still "
                    "growing at the end",
                    length_s));
  }
}

}  // namespace

void judge(run_result& result) {
  if (result.partial) result.flags.emplace_back("the run was interrupted");
  judge_client(result);
  judge_outcome(result);
  judge_length(result);
}

}  // namespace load
