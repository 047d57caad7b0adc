#include "connection/loop.hpp"

namespace dwell::inline v0 {

bool loop::is_last_by_limits(const slot& c) const noexcept {
  if (c.outbound) return false;
  if (c.finished_exchanges + std::uint64_t{1} >= c.service->of->exchanges) return true;
  const auto end = lifetime_due(c);
  return end && *end <= io_->now();
}

/// As far as is known: more may come.
bool loop::is_last_exchange(const slot& c) const noexcept {
  return is_last_by_limits(c) || (drain_.is_finishing() && !c.outbound);
}

bool loop::finish_exchange(slot& c) noexcept {
  if (c.decided) return false;
  const bool last = is_last_by_limits(c);
  c.linger |= c.message_open;  // answered before it was whole: the rest may be on its way
  c.message_open = c.answering = false;
  count_exchange(c);
  c.exchange_over = drain_.is_finishing() && !c.outbound;
  const bool drains = c.told_to_leave || (c.exchange_over && drain_.insists(io_->now()));
  if (!last && !drains) return true;
  if (drains || c.exchange_over) {
    close(c, close_reason::drain);
  } else if (c.finished_exchanges >= c.service->of->exchanges) {
    close(c, close_reason::finished);
  } else {
    close(c, close_reason::lifetime);
  }
  return false;
}

void loop::count_exchange(slot& c) noexcept {
  c.sent_in_exchange = false;
  ++c.finished_exchanges;
  c.counters().exchanges.add();
}

void loop::release_owed(slot& c) noexcept {
  --c.owed;
  if (c.peer_done && !c.decided) c.watched_since = io_->now_tick();
  mark(c, pending_work::advance);
}

}  // namespace dwell::inline v0
