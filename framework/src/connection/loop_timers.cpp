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

std::uint32_t loop_timers::start(duration delay, timer_target& whom) {
  // One that starts the next at once would never give way: what a timer starts is the next turn's.
  const bool put_off = running_ && delay <= duration{0};
  const auto [index, made] = timers_.emplace(timer{&whom, put_off});
  wheel_.grow(index + 1);
  if (put_off) {
    put_off_.push_back(index);
  } else {
    wheel_.arm(index, io_->now_tick() + std::clamp(delay, duration{0}, longest_deadline));
  }
  return index;
}

void loop_timers::cancel(std::uint32_t index) noexcept {
  wheel_.disarm(index);
  timers_.erase(index);
}

void loop_timers::call_after(duration delay, std::function<void()> call) {
  delayed_.push_back(std::make_unique<delayed_call>(*this, std::move(call)));
  start(delay, *delayed_.back());
}

void loop_timers::run() {
  std::uint32_t moves = timers_per_turn;
  running_ = true;
  for (std::uint32_t fired = 0; fired < timers_per_turn; ++fired) {
    const auto due = wheel_.pop(io_->now_tick(), moves);
    if (!due) break;
    timer_target& whom = *timers_[*due].whom;
    timers_.erase(*due);
    whom.fire();
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
