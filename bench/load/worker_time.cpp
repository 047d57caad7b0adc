// The part of a worker that knows time: what is due when, and when to stop waiting.

#include <dwell/asio.hpp>

#include "clock.hpp"
#include "worker.hpp"

#include <asio/steady_timer.hpp>

#include <algorithm>
#include <ctime>
#include <sys/prctl.h>

namespace load {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds longest_sleep = 50ms;  // Ctrl-C is looked at that often
constexpr std::size_t most_opening = 64;     // the accept queue of a server is bounded
constexpr nanoseconds grace = 200ms;         // for what is under way at Ctrl-C

nanoseconds thread_cpu() noexcept {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + nanoseconds{used.tv_nsec};
}

}  // namespace

dwell::task<> worker::run() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  asio::steady_timer timer{dwell::executor()};
  const nanoseconds enough = now() + patience();
  open_some(now());
  while (opening() && now() < enough && !line_.stop.load()) {
    timer.expires_after(1ms);
    co_await timer.async_wait(dwell::use_task);
  }
  to_open_ = 0;
  tally_->open = open_;
  tally_->thread_cpu = thread_cpu();
  tally_ = tallies_.exchange(std::move(tally_));
  while (line_.begin.load() == 0 && !line_.stop.load()) {
    timer.expires_after(1ms);
    co_await timer.async_wait(dwell::use_task);
  }
  if (line_.begin.load() == 0) {
    leave();
    co_return;
  }
  begin(nanoseconds{line_.begin.load()});
  for (;;) {
    const nanoseconds at = now();
    const nanoseconds wake = turn(at);
    if (over(at)) break;
    timer.expires_at(std::chrono::steady_clock::time_point{wake});
    co_await timer.async_wait(dwell::use_task);
  }
  finish();
  while (!line_.leave.load() && !line_.stop.load()) {
    timer.expires_after(1ms);
    co_await timer.async_wait(dwell::use_task);
  }
  leave();
}

void worker::open_some(nanoseconds at) {
  while (to_open_ > 0 && opening_.size() < most_opening && !free_.empty()) {
    --to_open_;
    slot& s = free_.front();
    opening_.splice(opening_.end(), free_, s.place);
    s.state = state::connecting;
    s.intended = at;
    upstream_.connect({.of = &s, .generation = s.generation});
  }
}

void worker::begin(nanoseconds at) {
  begin_ = at;
  measured_from_ = begin_ + window_.measured_from();
  end_ = begin_ + window_.end();
  measuring_ = window_.measured_from() == 0ns;
  boundary_ = begin_ + window_.next_boundary(0ns);
  accepting_ = true;
}

nanoseconds worker::turn(nanoseconds at) {
  pass(at);
  if (line_.stop.load(std::memory_order_relaxed)) interrupt(at);
  end_waits(at);
  if (at >= rested_) free_.splice(free_.end(), resting_);
  give_up_unsent(std::min(at - plan_.timeout, end_), at, true);
  launch(at);
  accepting_ = at < end_;
  return next_wake(at);
}

/// Ends the seconds that are over; the last one stays open for answers that still come.
void worker::pass(nanoseconds at) {
  while (at >= boundary_ && boundary_ < end_) {
    hand_over();
    measuring_ = boundary_ >= measured_from_;
    boundary_ = begin_ + window_.next_boundary(boundary_ - begin_);
  }
}

void worker::hand_over() {
  for (; begin_ + due_.due() < boundary_; due_.next()) ++tally_->due;
  if (closed_loop_) {  // due when sent: the two latencies are one, but for timeouts
    tally_->due = tally_->sent;
    tally_->latencies.request.add(tally_->latencies.naive);
    tally_->latencies.sent_late.record(0ns, static_cast<std::uint32_t>(tally_->sent));
  }
  tally_->warmup = !measuring_;
  tally_->ended_at = boundary_ - begin_;
  tally_->open = open_;
  tally_->thread_cpu = thread_cpu();
  tally_ = tallies_.exchange(std::move(tally_));
}

void worker::end_waits(nanoseconds at) {
  while (!busy_.empty() && at - busy_.front().intended >= plan_.timeout) {
    slot& s = busy_.front();
    if (counts(s.intended)) tally_->latencies.request.record(at - s.intended);
    s.state == state::connecting ? abandon(s) : fail(s, "timed_out", at);
  }
  while (!leaving_.empty() && at - leaving_.front().started >= plan_.timeout) {
    slot& s = leaving_.front();
    tally_->count_error("not_closed");
    s.state = state::free;
    free_.splice(free_.end(), leaving_, s.place);
    let_go(s, dwell::close_method::abort);
  }
}

/// Those due before `until` that no connection was free for. They count with what they have waited.
void worker::give_up_unsent(nanoseconds until, nanoseconds at, bool timed_out) {
  if (closed_loop_) return;
  for (; begin_ + schedule_.due() < until; schedule_.next()) {
    const nanoseconds intended = begin_ + schedule_.due();
    if (!counts(intended)) continue;
    ++tally_->unsent;
    tally_->latencies.request.record(at - intended);
    if (!timed_out) continue;
    ++tally_->failed;
    tally_->count_error("timed_out");
  }
}

nanoseconds worker::next_wake(nanoseconds at) const noexcept {
  nanoseconds wake = at + longest_sleep;
  if (boundary_ < end_ || at < end_) wake = std::min(wake, boundary_);
  if (!busy_.empty()) wake = std::min(wake, busy_.front().intended + plan_.timeout);
  if (!leaving_.empty()) wake = std::min(wake, leaving_.front().started + plan_.timeout);
  if (!resting_.empty()) wake = std::min(wake, rested_);
  if (closed_loop_ || at >= end_) return at >= end_ ? std::min(wake, at + 1ms) : wake;
  const nanoseconds due = begin_ + schedule_.due();
  return std::min(wake, free_.empty() ? due + plan_.timeout : due);
}

bool worker::over(nanoseconds at) const noexcept {
  return at >= end_ && ((busy_.empty() && leaving_.empty()) || at >= abandon_at_);
}

/// What is under way gets a moment to be answered.
void worker::interrupt(nanoseconds at) {
  if (abandon_at_ != nanoseconds::max()) return;
  end_ = boundary_ = std::min(at, end_);
  abandon_at_ = at + grace;
}

void worker::finish() {
  give_up_unsent(end_, end_, false);
  for (; !busy_.empty(); free_.splice(free_.end(), busy_, busy_.begin())) {
    if (counts(busy_.front().intended)) ++tally_->abandoned;
    let_go(busy_.front(), dwell::close_method::abort);
  }
  boundary_ = end_;
  accepting_ = false;
  tally_->last = true;
  hand_over();
}

void worker::leave() {
  accepting_ = false;
  for (slot& s : leaving_) let_go(s, dwell::close_method::abort);
  for (slot& s : free_) let_go(s, close_);
}

}  // namespace load
