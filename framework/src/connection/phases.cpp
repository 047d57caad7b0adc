#include "connection/loop.hpp"
#include "deadline/validate.hpp"

#include <algorithm>
#include <array>

namespace dwell::inline v0 {
namespace {

/// Turns in a row in which events that wait come before connections that are due.
constexpr std::uint32_t longest_put_off = 4;

std::optional<tick> sooner(std::optional<tick> a, tick b) noexcept {
  return a && before(*a, b) ? *a : b;
}

}  // namespace

phase loop::phase_of(const slot& c) const noexcept {
  if (queued(c) > 0) return phase::write;
  if (c.decided) return phase::close;
  return phase_of_work(c);
}

/// Whatever output is queued.
phase loop::phase_of_work(const slot& c) noexcept {
  if (c.filtered && !c.opened) return phase::handshake;
  if (c.owed > 0 || c.answering || c.paused) return phase::handle;
  if (c.message_open || c.part_held || (!c.delimits && !c.kept.empty())) return phase::read;
  return phase::idle;
}

/// Called after everything that may change the phase. Within a phase a deadline only moves away,
/// and then the reaper need not know: activity costs a comparison.
void loop::update_deadline(slot& c) noexcept {
  const phase before_this = c.clock.current();
  const phase now_in = phase_of(c);
  if (now_in == before_this && !c.nearer_deadline) return;
  c.nearer_deadline = false;
  if (now_in == phase::handle && before_this != phase::handle) c.stalls_seen = stalled_total_;
  c.clock.enter(now_in, io_->now_tick());
  if (before_this == phase::write && now_in != phase::write) {
    c.clock.progress(io_->now_tick());  // the last byte has just left: idle starts here
  }
  if (const auto when = due(c)) reaper_.expect(c.io.slot, *when);
}

/// When the current phase is over.
std::optional<tick> loop::phase_end(const slot& c) const noexcept {
  if (pressure_.shrinks_idle && c.clock.current() == phase::idle && !c.outbound &&
      c.limits().idle != off && owner_->shrinks_idle()) [[unlikely]] {
    return shrunk_idle_end(c);
  }
  return c.clock.due(c.limits());
}

/// When the reaper has to come: at the deadline, or before it to ask the kernel something.
std::optional<tick> loop::due(const slot& c) const noexcept {
  std::optional<tick> soonest = deadline_of(c);
  if (c.state == lifecycle_state::settling) return sooner(soonest, c.unacknowledged_since);
  if (c.peer_done) [[unlikely]] {
    if (const auto watched = next_watch(c)) soonest = sooner(soonest, *watched);
  }
  return awaits_acknowledgement(c) ? sooner(soonest, next_look(c)) : soonest;
}

std::optional<tick> loop::deadline_of(const slot& c) const noexcept {
  std::optional<tick> soonest = phase_end(c);
  if (c.decided) return soonest;
  if (const auto end = lifetime_due(c); end && c.clock.current() == phase::idle) {
    const std::uint64_t left = *end > io_->now() ? *end - io_->now() : 0;
    soonest = sooner(soonest, io_->now_tick() + duration{static_cast<std::int64_t>(left)});
  }
  return soonest;
}

bool loop::awaits_acknowledgement(const slot& c) const noexcept {
  return c.maybe_unacknowledged && c.limits().write != off &&
         (!c.decided || c.clock.current() == phase::write);
}

/// Acknowledgements are not told, they have to be asked for; so a write deadline is late by up to
/// an eighth.
tick loop::next_look(const slot& c) const noexcept {
  const std::int64_t write = c.limits().write.count();
  const std::int64_t step = std::max<std::int64_t>(1, write / 8);
  const std::int64_t waited = std::max(0, io_->now_tick() - c.unacknowledged_since);
  return c.unacknowledged_since + duration{std::min(write, (waited / step + 1) * step)};
}

/// Up to 10 % later than asked, different for each connection and the same each time it is asked
/// for.
std::optional<std::uint64_t> loop::lifetime_due(const slot& c) const noexcept {
  if (c.limits().lifetime == off) return std::nullopt;
  const auto lifetime = static_cast<std::uint64_t>(c.limits().lifetime.count());
  const std::uint64_t jitter = (c.generation() * 0x9E3779B97F4A7C15U) >> 32U;
  return c.opened_at + lifetime + ((lifetime / 10 * jitter) >> 32U);
}

std::optional<duration> loop::time_left(const slot& c) const noexcept {
  if (c.is_released()) return std::nullopt;
  const auto when = deadline_of(c);
  if (!when) return std::nullopt;
  return duration{std::max(0, *when - io_->now_tick())};
}

void loop::deadlines_changed(slot& c) noexcept {
  c.nearer_deadline = true;
  if (active_ != &c) update_deadline(c);
}

void loop::collect() {
  if (io_->crowded() && reaping_put_off_ < longest_put_off) {
    ++reaping_put_off_;
    more_to_reap_ = true;
    return io_->wake();
  }
  reaping_put_off_ = 0;
  more_to_reap_ = reaper_.collect(io_->now_tick(), reap_budget{}, [this](std::uint32_t index) {
    slot* const c = slots_.find(index);
    if (c == nullptr) return std::optional<tick>{};
    if (c->is_released()) {
      look_after_frames(*c);
      return std::optional<tick>{};
    }
    c->nearer_deadline = true;  // the reaper has just let go of it
    return at_deadline(*c);
  });
  if (more_to_reap_) io_->wake();
}

void loop::arm() {
  std::optional<tick> next = reaper_.next();
  if (const auto waited_for = timers_.next()) next = sooner(next, *waited_for);
  if (!next) return;
  const std::int32_t wait = std::max(0, *next - io_->now_tick());
  io_->arm(io_->now() + static_cast<std::uint64_t>(wait));
}

/// The wheel says that a deadline of `c` may have come. Returns the real one when it is later;
/// nothing when there is none any more, or when there was work: that has set the next one itself.
std::optional<tick> loop::at_deadline(slot& c) {
  const tick now = io_->now_tick();
  if (c.reaped && c.input_ended && c.state == lifecycle_state::lingering) {  // by close_later()
    step(c, lifecycle_event::peer_fin);
    return std::nullopt;
  }
  stretch_handle(c);
  if (c.peer_done) look_after(c);
  if (c.state == lifecycle_state::settling) {
    poll_unacknowledged(c);
    return std::nullopt;
  }
  if (awaits_acknowledgement(c) && !check_acknowledged(c) &&
      !before(now, c.unacknowledged_since + c.limits().write)) {
    end_stalled(c);
    return std::nullopt;
  }
  const auto when = phase_end(c);
  if (when && !before(now, *when)) return at_phase_end(c);
  const auto end = lifetime_due(c);
  if (!end || *end > io_->now() || c.decided || c.clock.current() != phase::idle) return due(c);
  return reap_in_turn(c, close_reason::lifetime);
}

std::optional<tick> loop::at_phase_end(slot& c) {
  switch (c.clock.current()) {
    case phase::idle:
      if (c.maybe_unacknowledged) check_acknowledged(c);
      if (c.maybe_unacknowledged) {  // idle stands still while the peer has something to
                                     // acknowledge
        c.clock.progress(io_->now_tick());
        return due(c);
      }
      return reap_in_turn(c, close_reason::idle_timeout);
    case phase::write: end_stalled(c); return std::nullopt;
    case phase::close: step(c, lifecycle_event::deadline); return std::nullopt;
    case phase::handshake: end_slow(c, close_reason::handshake_timeout); return std::nullopt;
    case phase::read: end_slow(c, close_reason::read_timeout); return std::nullopt;
    case phase::handle: end_slow(c, close_reason::handle_timeout); return std::nullopt;
  }
  return std::nullopt;
}

/// The peer takes nothing of what it was sent.
void loop::end_stalled(slot& c) {
  if (c.decided) return step(c, lifecycle_event::deadline);
  close(c, close_reason::write_timeout);
  advance(c);
}

/// Handshake, read or handle took too long. Bytes that have arrived may have finished what was
/// waited for.
void loop::end_slow(slot& c, close_reason reason) {
  const phase was = c.clock.current();
  if (was != phase::handle && look(c)) {
    if (c.is_released()) return;
    if (const auto when = c.clock.due(c.limits());
        c.decided || c.clock.current() != was || !when || before(io_->now_tick(), *when)) {
      advance(c);
      return;
    }
  }
  enter(c);
  if (c.opened) guarded(c, [&] { c.handler().on_deadline(c, c.session, reason); });
  close(c, reason);
  leave(c);
}

/// Asks the kernel how much the peer has acknowledged. True when that is more than at the last
/// look, or all.
bool loop::check_acknowledged(slot& c) noexcept {
  const std::uint32_t outstanding = io_->unacknowledged(c.io);
  const std::uint32_t acknowledged = static_cast<std::uint32_t>(c.sent_bytes) - outstanding;
  const bool progress = outstanding == 0 || acknowledged != c.acknowledged;
  c.acknowledged = acknowledged;
  c.maybe_unacknowledged = outstanding != 0;
  if (progress) {
    c.unacknowledged_since = io_->now_tick();
    if (c.clock.current() == phase::write) c.clock.progress(io_->now_tick());
  }
  return progress;
}

/// The handler could not run while the loop did not.
void loop::stretch_handle(slot& c) noexcept {
  if (c.clock.current() != phase::handle || c.stalls_seen == stalled_total_) return;
  c.clock.stretch(duration{stalled_total_ - c.stalls_seen});
  c.stalls_seen = stalled_total_;
}

}  // namespace dwell::inline v0
