#include "matrix/verdict.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// For a machine that does something else meanwhile. What is not bounded at all lasts for 60 s and
/// more.
constexpr duration slack = 10s;

time_wait place_of(const trial& of) {
  if (of.time_wait_here) return of.time_wait_there ? time_wait::both : time_wait::here;
  return of.time_wait_there ? time_wait::there : time_wait::nowhere;
}

/// For what the network does to single connections: segments that two processors deliver in another
/// order make the peer's kernel send a reset, and that ends a TIME_WAIT (net.ipv4.tcp_rfc1337 = 0).
constexpr std::size_t stray = 1;

}  // namespace

/// How many are where they have to be.
std::size_t cell_counts::of(placement what) const {
  switch (what) {
    case placement::here: return here;
    case placement::there: return there;
    case placement::nowhere:
    case placement::lost: return nowhere;
    case placement::late:
    case placement::either: return here + nowhere;
    case placement::any: break;
  }
  return trials;
}

std::size_t cell_counts::recorded_here() const {
  return recorded[static_cast<std::size_t>(time_wait::here)] +
         recorded[static_cast<std::size_t>(time_wait::both)];
}

cell_counts count(const cell_run& run) {
  cell_counts counts{.trials = run.trials.size()};
  for (const trial& of : run.trials) {
    const time_wait place = place_of(of);
    counts.here += place == time_wait::here;
    counts.there += place == time_wait::there;
    counts.both += place == time_wait::both;
    counts.nowhere += place == time_wait::nowhere;
    counts.orphans += of.orphan_in_fin_wait_2;
    counts.complete += of.seen.as_sent && of.seen.bytes == run.cell.peer.reply;
    counts.altered += !of.seen.as_sent;
    counts.saw_close_notify += of.seen.close_notify;
    counts.saw_fin += of.seen.end == 0;
    counts.saw_reset += of.seen.end && *of.seen.end != 0;
    if (!of.record) continue;
    const bool right = of.record->time_wait == place;
    ++counts.recorded[static_cast<std::size_t>(of.record->time_wait)];
    counts.lingered += of.record->lingered;
    if (of.record->certainty == certainty::observed) {
      ++counts.observed;
      // "here" is at least here: that the peer has one too cannot be seen from here.
      counts.observed_right +=
          right || (of.record->time_wait == time_wait::here && place == time_wait::both);
    } else {
      ++counts.expected;
      counts.expected_right += right;
    }
  }
  return counts;
}

void check(const cell_run& run, const cell_counts& counts) {
  const matrix_cell& cell = run.cell;
  const placement expected = cell.expected();
  for (const trial& of : run.trials) {
    ASSERT_TRUE(of.record) << "no record for port " << of.client_port;
    ASSERT_EQ(of.record->planned, cell.form.method);
    ASSERT_EQ(of.record->done, cell.form.method);
  }
  EXPECT_TRUE(run.gone) << "something else than TIME_WAIT is left";
  EXPECT_LE(run.gone_after, cell.bound() + slack);
  EXPECT_EQ(counts.observed_right, counts.observed) << "observed what was not so";
  EXPECT_EQ(counts.altered, 0U) << "other bytes than those sent";
  const bool direct = cell.form.method == close_method::abort_after_fin && !cell.lingers();
  if (expected != placement::any || !direct) {  // FINs that cross it: RFC 9293, CLOSING
    EXPECT_LE(counts.here + counts.both, counts.recorded_here())
        << "a TIME_WAIT that no record speaks of";
  }
  if (cell.delivers()) {
    EXPECT_EQ(counts.complete, counts.trials);
    EXPECT_EQ(counts.saw_reset, 0U);
    EXPECT_EQ(counts.saw_close_notify, cell.over == wire::tls ? counts.trials : 0U);
  }
  if (cell.form.method == close_method::abort) {
    EXPECT_EQ(counts.saw_fin, 0U);
  }
  EXPECT_GE(counts.of(expected) + stray, counts.trials);
  if (expected == placement::nowhere) {
    EXPECT_EQ(counts.orphans, 0U) << "at the price of a TIME_WAIT";
  }
  if (expected == placement::lost) {
    EXPECT_EQ(counts.recorded_here(), counts.trials) << "the record cannot know";
    if (cell.peer.holds) {
      EXPECT_EQ(counts.orphans, counts.trials) << "the kernel keeps it as it would a TIME_WAIT";
    }
  }
}

void check_expected(const std::deque<cell_run>& runs) {
  std::size_t expected = 0;
  std::size_t right = 0;
  for (const cell_run& run : runs) {
    const placement what = run.cell.expected();
    if (is_broken_by_peer(what) || what == placement::any) continue;
    const cell_counts counts = count(run);
    expected += counts.expected;
    right += counts.expected_right;
  }
  EXPECT_GE(100 * right, 99 * expected) << right << " of " << expected << " expected records";
}

}  // namespace dwell
