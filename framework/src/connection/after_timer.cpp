#include "connection/after_timer.hpp"

#include "connection/loop.hpp"

#include <memory>

namespace dwell::inline v0 {

after_timer::~after_timer() {
  if (waits_) attached_to().service->host->timers().cancel(timer_);
}

void after_timer::start(slot& c, duration delay, unique_function<void(connection&)> call) {
  std::unique_ptr<after_timer> made{new after_timer{c, std::move(call)}};
  made->timer_ = c.service->host->timers().start(delay, *made);
  made->waits_ = true;
  static_cast<void>(made.release());  // the list has it
}

void after_timer::fire() {
  waits_ = false;
  slot& c = attached_to();
  auto call = std::move(call_);
  delete this;  // what is called may end the connection, and with it what is in the list
  c.service->host->run_handler(c, [&] { call(c); });
}

void connection::after(duration delay, unique_function<void(connection&)> fn) {
  slot& c = as_slot(*this);
  if (!c.is_released()) after_timer::start(c, delay, std::move(fn));
}

}  // namespace dwell::inline v0
