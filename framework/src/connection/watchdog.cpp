// Names what a handler holds although nobody is left to hold it for: a connection whose peer has
// sent its FIN (CLOSE_WAIT lasts until we close), and a slot that a suspended frame keeps after its
// connection has ended. It ends neither: a half-closed connection may be meant, and the deadlines
// of the phases bound it.

#include "connection/loop.hpp"

#include <algorithm>

namespace dwell::inline v0 {

/// The engine has seen the peer's FIN behind a handler that does not read.
void loop::on_peer_fin(stream& from) {
  slot& c = of(from);
  note_peer_done(c);
  deadlines_changed(c);
}

void loop::note_peer_done(slot& c) noexcept {
  if (c.decided) return;
  c.peer_done = true;
  c.watched_since = io_->now_tick();
  c.nearer_deadline = true;
}

std::optional<tick> loop::next_watch(const slot& c) const noexcept {
  if (!c.peer_done || c.decided || c.held || c.limits().close == off) return std::nullopt;
  return c.watched_since + c.limits().close;
}

/// Something is still done for the peer, or another deadline sees to it. A handler that has not
/// been told of the end yet is at work on what came before; its handle deadline bounds that.
bool loop::has_reason_to_stay(const slot& c) const noexcept {
  if (queued(c) > 0 || c.owed > 0 || c.answering) return true;
  return !c.input_ended && c.limits().handle != off;
}

void loop::look_after(slot& c) noexcept {
  const auto when = next_watch(c);
  if (!when || before(io_->now_tick(), *when)) return;
  // What the loop could not do is not the handler's fault.
  if (has_reason_to_stay(c) || io_->stalled_for() > 100) {
    c.watched_since = io_->now_tick();
  } else if (before(c.watched_since, c.last_activity)) {
    c.watched_since = c.last_activity;
  } else {
    c.held = true;
    c.counters().held.add();
    owner_->log_held(c, duration{io_->now_tick() - c.watched_since});
  }
}

/// After the end, with a frame left. When that has ended meanwhile, the reaper comes for nothing,
/// or early for the next connection there.
void loop::watch_frames(slot& c) noexcept {
  c.held = false;
  c.watched_since = io_->now_tick();
  if (c.limits().close != off) reaper_.expect(c.io.slot, c.watched_since + c.limits().close);
}

void loop::look_after_frames(slot& c) noexcept {
  if (!c.outlived || c.held) return;
  c.held = true;
  c.counters().frames_held.add();
  owner_->log_held(c, duration{io_->now_tick() - c.watched_since});
}

bool loop::is_held(const slot& c) const noexcept {
  return c.held && !c.decided && !has_reason_to_stay(c);
}

}  // namespace dwell::inline v0
