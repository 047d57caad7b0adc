#include "connection/loop.hpp"

namespace dwell::inline v0 {
namespace {

/// Of connections that were reaped so many are closed at their peers' FINs in a turn; others wait.
constexpr std::uint32_t reaped_per_turn = 16;

}  // namespace

bool loop::may_read(const slot& c) const noexcept {
  if (c.input_ended || c.is_released()) return false;
  if (c.decided) return true;  // discarded, so that a FIN or a reset is seen
  return !c.paused && !c.above_high && !c.yielded;
}

void loop::on_received(stream& from, const received& input) {
  slot& c = of(from);
  c.looked_in = turn_;
  switch (input.what) {
    case received::outcome::would_block: return;
    case received::outcome::failed: return lose_peer(c, input.error);
    case received::outcome::end: return end_of_input(c);
    case received::outcome::data: break;
  }
  count_received(c, input.data.size());
  if (c.filtered) return on_raw(c, input.data, input.more);
  on_input(c, input.data, input.more);
}

void loop::on_input(slot& c, bytes data, bool more) {
  c.last_activity = io_->now_tick();
  c.clock.progress(c.last_activity);
  if (c.decided) {
    discard(c, data);
  } else {
    c.more_input = more;
    c.spoken = true;
    deliver(c, data);
  }
}

void loop::count_received(slot& c, std::size_t count) noexcept {
  c.received_bytes += count;
  c.counters().received.add(count);
}

void loop::deliver(slot& c, bytes data) {
  if (c.awaits_answer() && !c.delimits && !data.empty()) count_exchange(c);
  enter(c);
  const bool ok = guarded(c, [&] {
    std::size_t taken = 0;
    if (c.kept.empty()) {
      taken = c.handler().on_data(c, c.session, data);
      if (taken < data.size()) keep_or_discard(c, data.subview(taken));
    } else {
      if (!data.empty()) c.kept.append(*pool_, data);
      taken = c.handler().on_data(c, c.session, bytes{c.kept.view()});
      c.kept.consume(taken);
    }
    if (taken > 0 && !c.delimits) c.clock.next_message(io_->now_tick());
  });
  // Of whole messages that wait for their turn there are no more than one receive brings.
  const bool incomplete = may_read(c) && c.kept.size() > c.options().limits.message;
  if (ok && incomplete) close(c, close_reason::protocol_error);
  io_->spoil(data);
  leave(c);
}

/// What a handler leaves that has decided to close is not read any more: our FIN has to linger over
/// it, or the kernel would make it a reset.
void loop::keep_or_discard(slot& c, bytes rest) {
  if (c.decided) {
    discard(c, rest);
  } else {
    c.kept.append(*pool_, rest);
  }
}

void loop::resume(slot& c) noexcept {
  if (!c.paused) return;
  c.paused = false;
  mark(c, pending_work::redeliver);
}

/// Input is wanted again: what was kept comes first. The kernel's queue announces itself, except
/// where the engine no longer watches it.
void loop::redeliver(slot& c) {
  c.yielded = false;
  if (c.decided || c.paused || c.above_high) return;
  if (!c.kept.empty()) {
    deliver(c, bytes{c.kept.view().data(), 0});
    if (c.is_released() || !may_read(c)) return;
  }
  if (c.peer_gone) on_received(c.io, io_->receive(c.io));
}

void loop::discard(slot& c, bytes data) noexcept {
  c.unread += static_cast<std::uint32_t>(data.size());
  c.linger = true;
  if (!c.reaped) return;
  if (c.reap_raced == 0) c.counters().reap_raced.add();
  c.reap_raced += static_cast<std::uint32_t>(data.size());
}

void loop::end_of_input(slot& c) {
  c.input_ended = true;
  if (c.filtered) c.filter().at_end();
  note_peer_done(c);
  if (c.reaped && c.state == lifecycle_state::lingering && ++reaped_in_turn_ > reaped_per_turn) {
    return close_later(c);
  }
  step(c, lifecycle_event::peer_fin);
  // A FIN is input for as long as anybody asks for it, also while output waits for the peer.
  if (!c.is_released()) update_watch(c);
}

void loop::tell_end_of_input(slot& c) {
  if (!c.opened) return close(c, close_reason::peer_closed);
  if (c.told_end) return;
  c.told_end = true;
  run_handler(c, [&] {
    if (!c.handler().on_peer_closed(c, c.session)) c.close_when_answered = true;
  });
}

/// Looks at the queue before a deadline is believed. True when bytes, or the end, had come.
bool loop::look(slot& c) {
  if (c.input_ended) return false;
  const received input = io_->receive(c.io);
  if (input.what == received::outcome::would_block) return false;
  on_received(c.io, input);
  return true;
}

}  // namespace dwell::inline v0
