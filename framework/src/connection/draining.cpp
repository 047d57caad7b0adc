#include "connection/draining.hpp"

#include "connection/loop.hpp"

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t slots_per_turn = 1'000;
/// Between two parts of a walk that takes its time.
constexpr duration rest{10};

/// The handler has been given something. A TLS handshake is nothing of the kind.
bool has_spoken(const slot& c) noexcept { return c.filtered ? c.spoken : c.received_bytes != 0; }

}  // namespace

// ── the server's orders ──

void loop::announce_end(duration over) { drain_.announce(io_->now(), over); }

void loop::drain(const drain_pace& pace) {
  drain_.finish(io_->now(), pace);
  io_->wake();
}

void loop::abort_all() {
  ending_ = true;
  end_coroutines();
  drain_.abort();
  io_->wake();
}

// ── who may stay, and for how long ──

/// A connection that a coroutine awaits leaves with it, one that is owed an answer stays for it,
/// and one whose next requests have come for those.
bool loop::leaves_at_drain(const slot& c) const noexcept {
  return is_idle(c) && !c.awaited && !c.awaits_answer() && !c.yielded && !is_new(c);
}

/// The client has connected to ask something, and that is on its way.
bool loop::is_new(const slot& c) const noexcept {
  return !c.outbound && !has_spoken(c) &&
         io_->now_tick() - c.last_activity < drain_.first_request().count();
}

/// What the protocol has announced it has to do: then an answer is the last, whatever comes.
bool loop::shall_announce_end(slot& c, bool more_came) noexcept {
  if (is_last_by_limits(c)) return true;
  const bool drains = drain_.is_finishing() || drain_.announces(io_->now());
  if (!drains || c.outbound) return false;
  c.told_to_leave = drain_.insists(io_->now()) || (!more_came && !io_->has_input(c.io));
  return c.told_to_leave;
}

/// The exchange that has just finished is the last, unless the peer has sent more: then that is
/// answered first. Its last bytes and our FIN leave together.
void loop::leave_after_exchange(slot& c) noexcept {
  c.exchange_over = false;
  if (c.decided || c.awaited || !c.kept.empty() || io_->has_input(c.io)) return;
  decide(c, close_reason::drain, {});
}

// ── the walk ──

void loop::sweep() {
  const std::uint32_t due = drain_.slots_due(io_->now(), slots_.capacity(), slots_per_turn);
  if (due == 0) {
    drain_.rest();
    return timers_.call_after(rest, [this] {
      drain_.walk_on();
      io_->wake();
    });
  }
  drain_.walked_to(slots_.visit(drain_.next_slot(), due, [&](std::uint32_t, slot& c) {
    if (c.is_released()) return;
    if (drain_.is_aborting()) {
      counters_.aborted.add();
      decide(c, close_reason::drain, close_method::abort);
      step(c, lifecycle_event::abort);
    } else if (leaves_at_drain(c)) {
      reap(c, close_reason::drain);
    } else if (is_new(c) || c.clock.current() == phase::handshake) {
      drain_.missed_one();  // of a handshake's end nobody tells
    }
  }));
  if (drain_.next_slot() != slab<slot>::end) return io_->wake();
  const bool missed = drain_.end_walk();
  if (!missed || drain_.first_request() == duration{0}) return;
  timers_.call_after(drain_.first_request(), [this] {
    if (!drain_.is_finishing()) return;
    drain_.walk_again();
    io_->wake();
  });
}

}  // namespace dwell::inline v0
