#include "connection/coroutine.hpp"

#include "connection/coroutine_session.hpp"
#include "connection/loop.hpp"
#include "connection/loop_coroutine.hpp"

#include <utility>

namespace dwell::inline v0 {

/// What is still in the list is in the sessions of connections that it awaits.
coroutine::~coroutine() {
  body = {};
  while (suspensions != nullptr) suspensions->give_up();
}

loop& coroutine::host() const noexcept {
  return what == kind::of_loop ? loop_coroutine::of(*this).on() : *peer->service->host;
}

void coroutine::start(task<> made) {
  body = std::move(made);
  resume(body.frame_);
}

void coroutine::resume(std::coroutine_handle<> whom) {
  run(whom);
  settle();
}

void coroutine::run(std::coroutine_handle<> whom) {
  coroutine* const outer = host().running();
  host().set_running(this);
  task_promise_base::resume(whom);
  host().set_running(outer);
}

/// The end of the handler's coroutine is that of the connection.
void coroutine::settle() {
  if (!body || !body.frame_.done()) return;
  const task<> done = std::move(body);
  if (what == kind::of_handler) static_cast<coroutine_session*>(this)->forget_input();
  if (what != kind::of_loop) owe(false);
  done.frame_.promise().result.take();
  if (what != kind::of_handler) return;
  if (peer->sent_in_exchange && !peer->delimits) host().finish_exchange(*peer);
  host().close(*peer, peer->input_ended ? close_reason::peer_closed : close_reason::finished);
}

void coroutine::owe(bool on) noexcept {
  if (owes == on) return;
  owes = on;
  peer->owed = static_cast<std::uint16_t>(on ? peer->owed + 1 : peer->owed - 1);
}

void coroutine::resume_writer(write_operation::until reached) {
  if (writer && goal == reached) resume(std::exchange(writer, nullptr));
}

void coroutine::end(std::coroutine_handle<> reader) {
  outlives = true;
  suspension* told = std::exchange(suspensions, nullptr);
  if (told != nullptr) told->link_ = &told;
  if (reader) resume(reader);
  if (writer) resume(std::exchange(writer, nullptr));
  while (told != nullptr) {
    suspension& each = *told;
    each.unlink();
    each.link(suspensions);
    each.connection_ended();
  }
}

}  // namespace dwell::inline v0
