#include "connection/after_timer.hpp"

#include "connection/loop.hpp"

#include <memory>

namespace dwell::inline v0 {

after_timer::after_timer(slot& c, unique_function<void(connection&)> call)
    : peer_{&c}, next_{c.timers}, link_{&c.timers}, call_{std::move(call)} {
  if (next_ != nullptr) next_->link_ = &next_;
  c.timers = this;
}

after_timer::~after_timer() {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

void after_timer::start(slot& c, duration delay, unique_function<void(connection&)> call) {
  std::unique_ptr<after_timer> made{new after_timer{c, std::move(call)}};
  made->timer_ = c.service->host->start_timer(delay, *made);
  static_cast<void>(made.release());  // the list has it
}

void after_timer::fire() {
  slot& c = *peer_;
  auto call = std::move(call_);
  delete this;  // what is called may end the connection, and with it what is in the list
  c.service->host->run_handler(c, [&] { call(c); });
}

void cancel_after_timers(slot& c) noexcept {
  while (c.timers != nullptr) {
    c.service->host->cancel_timer(c.timers->timer_);
    delete c.timers;
  }
}

void connection::after(duration delay, unique_function<void(connection&)> fn) {
  slot& c = as_slot(*this);
  if (!c.is_released()) after_timer::start(c, delay, std::move(fn));
}

}  // namespace dwell::inline v0
