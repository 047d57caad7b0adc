#include <dwell/connection/offload.hpp>
#include <dwell/connection/sleep_for.hpp>
#include <dwell/connection/suspension.hpp>

#include "connection/coroutine_session.hpp"
#include "connection/loop.hpp"

#include <cassert>
#include <utility>

namespace dwell {

suspension::~suspension() { unlink(); }

void suspension::suspend(std::coroutine_handle<> sleeper) noexcept {
  loop* const here = loop::current();
  assert(here != nullptr && here->active() != nullptr && "dwell: awaited outside of a handler");
  session_ = &coroutine_session::of(*here->active());
  sleeper_ = sleeper;
  link(session_->suspensions);
}

void suspension::give_up() noexcept {
  unlink();
  sleeper_ = nullptr;
}

void suspension::resume() noexcept {
  coroutine_session& session = *session_;
  slot& c = *session.peer;
  const bool outlived = session.outlives;
  host().run_handler(c, [this] { resume_ended(); });
  if (outlived && !session.body) session.host().frames_ended(c);
}

void suspension::resume_ended() {
  unlink();
  session_->resume(std::exchange(sleeper_, nullptr));
}

void suspension::resume_later() {
  host().mail()->order([this](loop&) { resume(); });
}

loop& suspension::host() const noexcept { return session_->host(); }

asio::io_context* suspension::asio_host() const noexcept { return asio_host(*session_->peer); }
asio::io_context* suspension::asio_host(connection& peer) noexcept {
  return as_slot(peer).service->host->io().host();
}

bool suspension::has_ended() const noexcept { return session_->peer->is_released(); }

void suspension::link(suspension*& list) noexcept {
  next_ = std::exchange(list, this);
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &list;
}

void suspension::unlink() noexcept {
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  link_ = nullptr;
}

// ── sleep_for ──

sleep_operation::~sleep_operation() {
  if (suspended()) host().cancel_timer(timer_);
}

void sleep_operation::start(std::coroutine_handle<> sleeper) {
  suspend(sleeper);
  try {
    timer_ = host().start_timer(length_, *this);
  } catch (...) {
    give_up();
    throw;
  }
}

void sleep_operation::fire() {
  ended_ = has_ended();
  resume();
}

/// What is slept anew after that takes its time, so that a loop that does not look cannot hold up
/// the others.
void sleep_operation::connection_ended() {
  ended_ = true;
  host().cancel_timer(timer_);
  resume_ended();
}

// ── offload ──

void offload_job::start(std::coroutine_handle<> sleeper) {
  suspend(sleeper);
  try {
    host().owner().run_off_loop(*this);
  } catch (...) {
    give_up();
    throw;
  }
}

}  // namespace dwell
