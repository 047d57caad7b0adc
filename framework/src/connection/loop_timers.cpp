#include "connection/loop_timers.hpp"

#include "deadline/validate.hpp"

#include <algorithm>
#include <utility>

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t timers_per_turn = 1'024;

}  // namespace

struct loop_timers::delayed_call final : timer_target {
  delayed_call(loop_timers& of, std::function<void()> what) : host{&of}, call{std::move(what)} {}
  void fire() override {
    const std::function<void()> run = std::move(call);
    std::erase_if(host->delayed_, [this](const auto& each) { return each.get() == this; });
    run();
  }
  loop_timers* host;
  std::function<void()> call;
};

loop_timers::loop_timers(engine& io) noexcept : io_{&io}, wheel_{io.now_tick()} {}
loop_timers::~loop_timers() = default;

std::uint32_t loop_timers::make(timer_target& whom, bool kept) {
  const std::uint32_t index = timers_.emplace(timer{&whom, false, kept}).first;
  try {
    wheel_.grow(index + 1);
    put_off_.reserve(put_off_.size() + 1);
  } catch (...) {
    timers_.erase(index);
    throw;
  }
  return index;
}

void loop_timers::arm(std::uint32_t which, duration delay) noexcept {
  wheel_.arm(which, io_->now_tick() + std::clamp(delay, duration{0}, longest_deadline));
}

std::uint32_t loop_timers::start(duration delay, timer_target& whom) {
  const std::uint32_t index = make(whom, false);
  // One that starts the next at once would never give way: what a timer starts is the next turn's.
  if (running_ && delay <= duration{0}) {
    timers_[index].put_off = true;
    put_off_.push_back(index);
  } else {
    arm(index, delay);
  }
  return index;
}

std::uint32_t loop_timers::keep(timer_target& whom) { return make(whom, true); }

void loop_timers::restart(std::uint32_t kept, duration delay) noexcept { arm(kept, delay); }

void loop_timers::cancel(std::uint32_t index) noexcept {
  wheel_.disarm(index);
  timers_.erase(index);
}

void loop_timers::call_after(duration delay, std::function<void()> call) {
  delayed_.push_back(std::make_unique<delayed_call>(*this, std::move(call)));
  try {
    start(delay, *delayed_.back());
  } catch (...) {
    delayed_.pop_back();
    throw;
  }
}

void loop_timers::run() {
  std::uint32_t moves = timers_per_turn;
  running_ = true;
  for (std::uint32_t fired = 0; fired < timers_per_turn; ++fired) {
    const auto due = wheel_.pop(io_->now_tick(), moves);
    if (!due) break;
    const timer fired_now = timers_[*due];
    if (!fired_now.kept) timers_.erase(*due);
    fired_now.whom->fire();
  }
  running_ = false;
  for (const std::uint32_t index : put_off_) {
    timer* const waits = timers_.find(index);  // unless it was cancelled meanwhile
    if (waits != nullptr && std::exchange(waits->put_off, false)) {
      wheel_.arm(index, io_->now_tick());
    }
  }
  put_off_.clear();
}

}  // namespace dwell::inline v0
