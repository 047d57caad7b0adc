#include "connection/attachment.hpp"
#include "connection/loop.hpp"

#include <cerrno>
#include <netinet/tcp.h>

namespace dwell::inline v0 {
namespace {

/// Unacknowledged bytes up to which close() may follow the last send: an initial window (RFC 6928),
/// so all of it is on the wire already. A byte from the peer that reaches the orphan makes the
/// kernel drop what is unacknowledged; with more in flight the lingering form, or waiting, keeps it
/// safe.
constexpr std::uint32_t direct_limit = 16 * 1024;

constexpr unsigned slowest_poll = 6;  // 64 ms
constexpr int drains_at_deadline = 4;

/// The handler is about to hear that there is room again, and may have more, or decide to close.
bool tells_writable(const slot& c) noexcept {
  return (c.work & static_cast<std::uint8_t>(pending_work::tell_writable)) != 0;
}

close_reason reason_of(int error) noexcept {
  switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return close_reason::peer_reset;
    default: return close_reason::peer_vanished;
  }
}

}  // namespace

// ── deciding ──

void loop::close(slot& c, close_reason reason, std::optional<close_method> method) noexcept {
  if (c.decided || c.is_released()) return;
  decide(c, reason, method);
  if (active_ != &c) mark(c, pending_work::advance);
}

void loop::decide(slot& c, close_reason reason, std::optional<close_method> method) noexcept {
  if (c.decided) return;
  // The clock hears of a message that began in the running callback only after it.
  const phase by_clock = c.clock.current();
  c.ended_in = by_clock == phase::idle ? phase_of_work(c) : by_clock;
  c.decided = true;
  c.why = reason;
  c.unread = 0;
  c.planned = method.value_or(c.options().close.method_for(reason));
  c.done = c.planned;
  // What cannot be carried out becomes graceful, and the record shows both.
  if (c.done == close_method::peer_first && !c.announced) c.done = close_method::graceful;
  if (c.done == close_method::abort_after_fin && c.io.is_tcp && !io_->can_avoid_time_wait()) {
    c.done = close_method::graceful;
  }
  // The rest of a message may be on its way, and must not reset what the peer is told.
  c.linger |= reason == close_reason::protocol_error || reason == close_reason::read_timeout;
  if (reason == close_reason::drain && c.done == close_method::graceful && !c.outbound) {
    // A client that asks the next thing as soon as it has its answer asks it now.
    c.reaped |= !c.linger;
    c.linger = true;
  }
}

void loop::half_close(slot& c) noexcept {
  if (!c.accepts_output()) return;
  c.half_close_asked = true;
  mark(c, pending_work::advance);
}

// ── carrying it out ──

/// Does what the state asks for after anything has happened to `c`: counts a raw exchange, flushes,
/// ends.
void loop::advance(slot& c) {
  if (!c.delimits && !c.outbound && c.sent_in_exchange && c.owed == 0 && !c.paused)
    finish_exchange(c);
  if (c.close_when_answered && c.owed == 0) decide(c, close_reason::peer_closed, {});
  if (c.exchange_over && phase_of_work(c) == phase::idle) [[unlikely]]
    leave_after_exchange(c);
  const bool begins_to_close = c.decided && c.state <= lifecycle_state::send_closed;
  if (begins_to_close) {
    step(c, c.done == close_method::abort ? lifecycle_event::abort : lifecycle_event::close);
    if (c.is_released()) return;
  }
  if (!push(c)) return;
  if (queued(c) == 0) {
    if (c.state == lifecycle_state::flushing ||
        c.state == lifecycle_state::flushing_to_peer_closed) {
      step(c, how_flushed(c));
    } else if (c.half_close_asked && !c.fin_sent && !c.decided) {
      step(c, lifecycle_event::half_close);
    } else if (c.io.corked && c.sent_bytes != 0 && !c.decided && !tells_writable(c)) {
      io_->cork(c.io, false);
    }
    if (c.flush_awaited && !c.decided) {
      c.flush_awaited = false;
      mark(c, pending_work::tell_flushed);
    }
  }
  if (c.is_released()) return;
  update_watch(c);
  if (c.is_released()) return;
  update_deadline(c);
  if (begins_to_close) mark(c, pending_work::tell_closing);
  if (drain_.is_finishing() && leaves_at_drain(c)) mark(c, pending_work::leave);
}

void loop::update_watch(slot& c) {
  const bool input = may_read(c);
  const bool output = !c.queue.empty() || c.sends_file;
  const bool changed = (input && !c.io.wants_input) || output != c.io.wants_output;
  c.io.wants_input = input;
  c.io.wants_output = output;
  if (!changed || io_->watch(c.io)) return;
  decide(c, close_reason::overload, close_method::abort);
  step(c, lifecycle_event::abort);
}

void loop::step(slot& c, lifecycle_event what) {
  const auto [next, action] = next_step(c.state, what);
  if (next != lifecycle_state::closed) c.state = next;
  switch (action) {
    case lifecycle_action::none:
    case lifecycle_action::flush: return;
    case lifecycle_action::tell_handler: return tell_end_of_input(c);
    case lifecycle_action::send_fin: return send_fin(c);
    case lifecycle_action::poll_unacknowledged:
      c.poll_backoff = 0;
      c.nearer_deadline = true;
      c.unacknowledged_since = io_->now_tick() + duration{1};
      return;
    case lifecycle_action::send_fin_and_discard:
    case lifecycle_action::discard: return start_discarding(c);
    case lifecycle_action::release_without_time_wait: drain_input(c); [[fallthrough]];
    case lifecycle_action::release:
    case lifecycle_action::reset: return release(c, action);
  }
}

/// Everything is in the kernel: which form of the close may follow.
lifecycle_event loop::how_flushed(slot& c) {
  if (c.state == lifecycle_state::flushing_to_peer_closed) return lifecycle_event::flushed_direct;
  if (c.done == close_method::peer_first) {
    uncork(c);
    return lifecycle_event::flushed_announced;
  }
  // The goodbye in answer to ours must not meet an orphan.
  const bool answered = c.filtered && c.done == close_method::graceful;
  if (c.linger || answered || c.more_input || !c.kept.empty()) {
    return lifecycle_event::flushed_lingering;
  }
  const bool brief = c.sent_bytes <= direct_limit || !c.io.is_tcp;
  // Sending much takes long enough for the peer to have said something since the turn began.
  if ((c.looked_in != turn_ || !brief) && look(c)) {
    if (c.input_ended) return lifecycle_event::flushed_direct;
    return lifecycle_event::flushed_lingering;
  }
  if (brief) return lifecycle_event::flushed_direct;
  // Lingering costs a graceful close nothing but system calls; to abort_after_fin it would cost its
  // point.
  if (c.done != close_method::abort_after_fin) return lifecycle_event::flushed_lingering;
  return is_settled(c) ? lifecycle_event::flushed_direct : lifecycle_event::flushed_unsettled;
}

/// Little is unacknowledged, and the peer has room for it: close() puts the rest and our FIN on the
/// wire at once, and a byte of the peer's has but one round trip to cross them.
bool loop::is_settled(slot& c) noexcept {
  const std::uint32_t outstanding = io_->unacknowledged(c.io);
  if (outstanding > direct_limit) return false;
  const auto facts = io_->facts(c.io);
  return facts && facts->send_window >= outstanding;
}

/// Our FIN, and whether the peer's had come before it: that decides where TIME_WAIT goes, and a
/// round trip later the state does not tell any more.
void loop::send_fin(slot& c) noexcept {
  c.fin_sent = true;
  io_->shutdown_send(c.io);
  const auto facts = c.io.is_tcp ? io_->facts(c.io) : std::nullopt;
  if (!facts) return;
  c.open_after_fin = facts->state == TCP_FIN_WAIT1 || facts->state == TCP_FIN_WAIT2;
  c.closed_before_fin = facts->state == TCP_LAST_ACK;
}

/// Our FIN, unless the peer was asked to send the first; then whatever comes is read and thrown
/// away until its FIN.
void loop::start_discarding(slot& c) {
  if (c.state == lifecycle_state::lingering) {
    c.lingered = true;
    if (!c.fin_sent) send_fin(c);
  }
  c.unread += static_cast<std::uint32_t>(c.kept.size());
  c.kept.clear();
}

/// abort_after_fin with much in flight: its FIN goes out with close() once little is left, since
/// only then does a byte from the peer cost next to nothing.
void loop::poll_unacknowledged(slot& c) {
  if (const auto end = c.clock.due(c.limits()); end && !before(io_->now_tick(), *end)) {
    step(c, lifecycle_event::deadline);
    return;
  }
  if (!c.linger && look(c) && c.is_released()) return;
  if (c.linger) {
    step(c, lifecycle_event::flushed_lingering);
  } else if (is_settled(c)) {
    step(c, lifecycle_event::flushed_direct);
    return;
  } else {
    if (c.poll_backoff < slowest_poll) ++c.poll_backoff;
    c.unacknowledged_since = io_->now_tick() + duration{1U << c.poll_backoff};
  }
  update_deadline(c);
}

/// Unread input would turn our FIN into a reset (RFC 2525, 2.17). Bounded: a peer that sends faster
/// than this reads gets that reset.
void loop::drain_input(slot& c) noexcept {
  for (int turn = 0; turn < drains_at_deadline && !c.input_ended; ++turn) {
    const received input = io_->receive(c.io);
    if (input.what != received::outcome::data) return;
    count_received(c, input.data.size());
    c.unread += static_cast<std::uint32_t>(unread_in(c, input.data));
    if (!input.more) return;
  }
}

/// Ends an idle connection. The queue is looked at before our FIN, and read after it: a request on
/// its way is served, or counted and never reset.
void loop::reap(slot& c, close_reason reason) {
  if (look(c)) {
    if (!c.is_released()) advance(c);
    return;
  }
  const bool has_last_words = say_last_words(c, reason);
  decide(c, reason, {});
  if (c.state != lifecycle_state::open || c.done == close_method::abort ||
      c.done == close_method::peer_first) {
    return advance(c);
  }
  c.reaped = !has_last_words;  // whatever answers these has not crossed our FIN
  step(c, lifecycle_event::close);
  if ((c.filtered || has_last_words) && (!push(c) || queued(c) != 0)) {  // they come before our FIN
    if (!c.is_released()) advance(c);
    return;
  }
  // Nobody is in a hurry: what the peer sends before it has our FIN must not meet an orphan.
  const bool at_leisure = reason != close_reason::overload;
  if (c.done == close_method::graceful && at_leisure) return linger_after_reap(c);
  c.fin_sent = true;
  io_->shutdown_send(c.io);
  const received late = io_->receive(c.io);
  if (late.what == received::outcome::data) {
    count_received(c, late.data.size());
    const std::size_t unread = unread_in(c, late.data);
    if (unread != 0) discard(c, late.data.first(unread));
    linger_after_reap(c);
  } else if (late.what == received::outcome::failed) {
    lose_peer(c, late.error);
  } else {
    c.input_ended = late.what == received::outcome::end;
    step(c, lifecycle_event::flushed_direct);
  }
}

/// True when its handler had something to say.
bool loop::say_last_words(slot& c, close_reason reason) {
  enter(c);
  guarded(c, [&] { c.handler().on_deadline(c, c.session, reason); });
  active_ = nullptr;
  exchange_current(outer_);
  return queued(c) != 0;
}

void loop::linger_after_reap(slot& c) {
  step(c, lifecycle_event::flushed_lingering);
  update_watch(c);
  if (c.is_released()) return;
  update_deadline(c);
  mark(c, pending_work::tell_closing);
}

/// Thousands that were reaped together answer together, and a close costs ten times what it takes
/// to notice: whoever stands behind them in the set is served first. The reaper closes it in its
/// turn.
void loop::close_later(slot& c) {
  update_watch(c);
  reaper_.expect(c.io.slot, io_->now_tick());
}

void loop::lose_peer(slot& c, int error) {
  c.error = static_cast<std::int16_t>(error);
  decide(c, reason_of(error), {});
  step(c, lifecycle_event::peer_lost);
}

// ── the last call ──

void loop::release(slot& c, lifecycle_action action) {
  if (!c.decided) decide(c, c.fin_sent ? close_reason::finished : close_reason::peer_closed, {});
  auto how = dwell::release::fin;
  const bool active_close = !c.input_ended && c.error == 0;
  if (action == lifecycle_action::reset) {
    how = dwell::release::reset;
  } else if (action == lifecycle_action::release_without_time_wait ||
             (active_close && c.done == close_method::abort_after_fin)) {
    how = c.io.is_tcp && io_->can_avoid_time_wait() ? dwell::release::fin_without_time_wait
                                                    : dwell::release::fin;
  }
  if (gatherer_ == &c) gathered_ = 0;
  const close_record record = make_record(c, how);
  c.state = lifecycle_state::closed;
  io_->release(c.io, how);
  reaper_.forget(c.io.slot);
  c.kept.clear();
  c.queue.clear();
  c.drop_file();
  if (c.rare) c.rare->overrides.reset();
  c.drop_rare_if_empty();
  report(c, record);
}

void loop::report(slot& c, const close_record& record) {
  count_close(c, record);

  enter(c);
  if (c.opened) {
    guarded(c, [&] { c.frame_outlives = !c.handler().on_close(c, c.session, record); });
  }
  end_attachments(c);
  if (c.options().on_close) guarded(c, [&] { c.options().on_close(c, record); });
  active_ = gatherer_ = nullptr;
  leave(c);
  owner_->log_close(c, record);
  tell_not_secured(c);
  c.outlived = true;
  free_unless_outlived(c);
  if (c.outlived) watch_frames(c);
}

/// Timers go; spawned coroutines hear of it, and some may go on.
void loop::end_attachments(slot& c) noexcept {
  for (attachment* each = c.attachments; each != nullptr;) {
    attachment& that = *std::exchange(each, each->next());
    guarded(c, [&that] { that.connection_ended(); });
  }
}

void loop::free_unless_outlived(slot& c) noexcept {
  if (!c.outlived || c.frame_outlives || c.attachments != nullptr) return;
  c.outlived = false;
  frames_ended(c);
}

void loop::frames_ended(slot& c) noexcept {
  end_session(c);
  free_later(c);
}

void loop::end_session(slot& c) noexcept {
  if (c.session == nullptr) return;
  if (c.opened) c.handler().destroy_session(c.session);
  pool_->give(static_cast<std::byte*>(c.session), c.handler().session_size());
  c.session = nullptr;
}

}  // namespace dwell::inline v0
