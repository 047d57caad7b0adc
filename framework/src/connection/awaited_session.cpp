#include "connection/awaited_session.hpp"

#include "connection/loop.hpp"

#include <cassert>

namespace dwell::inline v0 {
namespace {

awaited_session& of(void* session) noexcept { return *static_cast<awaited_session*>(session); }

void resume_soon(awaited_session& self) noexcept {
  self.host().mark(*self.peer, pending_work::resume_awaiting);
}

}  // namespace

// ── who waits ──

void awaited_session::await_input(std::coroutine_handle<> waiter) noexcept {
  assert(!read_wait.pending() && "dwell: one read() at a time");
  read_wait.begin(waiter);
  host().resume(*peer);
}

void awaited_session::await_room(std::coroutine_handle<> waiter,
                                 write_operation::until until) noexcept {
  assert(!write_wait.pending() && "dwell: one write() or flush() at a time");
  write_wait.begin(waiter);
  goal = until;
  if (until == write_operation::until::flushed) peer->flush_awaited = true;
}

void awaited_session::wrote(write_operation::until reached) noexcept {
  if (!write_wait.pending() || goal != reached) return;
  may_write = true;
  resume_soon(*this);
}

void awaited_session::resume_ready(slot& c) noexcept {
  if (c.session != nullptr) {
    awaited_session& self = of(c);
    if (std::exchange(self.may_read, false) && self.read_wait.pending()) self.read_wait.finish();
  }
  if (c.session != nullptr) {  // who read may have let go of the connection
    awaited_session& self = of(c);
    if (std::exchange(self.may_write, false) && self.write_wait.pending()) {
      self.write_wait.finish();
    }
  }
}

// ── what the loop calls ──

void awaited_handler::destroy_session(void* session) const noexcept {
  awaited_session& self = of(session);
  if (self.peer != nullptr) self.forget_input();
  self.~awaited_session();
}

bool awaited_handler::on_open(connection& peer, void* session) const {
  of(session).peer = &as_slot(peer);
  return true;
}

/// Input that nobody waits for any more is kept, as long as it is little: then the peer is slowed
/// down.
std::size_t awaited_handler::on_data(connection&, void* session, bytes data) const {
  awaited_session& self = of(session);
  self.peer->paused = true;
  if (!self.read_wait.pending() || self.may_read) return 0;
  self.keep(data);
  self.may_read = true;
  resume_soon(self);
  return data.size();
}

void awaited_handler::on_writable(connection&, void* session) const {
  of(session).wrote(write_operation::until::below_high_watermark);
}

void awaited_handler::on_flushed(connection&, void* session) const {
  of(session).wrote(write_operation::until::flushed);
}

bool awaited_handler::on_peer_closed(connection&, void* session) const {
  awaited_session& self = of(session);
  self.peer->paused = true;
  if (self.read_wait.pending()) {
    self.may_read = true;
    resume_soon(self);
  }
  return true;  // its owner closes
}

void awaited_handler::on_closing(connection&, void* session) const {
  awaited_session& self = of(session);
  self.may_read = self.may_write = true;
  if (self.read_wait.pending() || self.write_wait.pending()) resume_soon(self);
}

bool awaited_handler::on_close(connection& peer, void* session, const close_record&) const {
  on_closing(peer, session);
  return !of(session).owned;
}

}  // namespace dwell::inline v0
