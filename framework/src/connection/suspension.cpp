#include <dwell/connection/offload.hpp>
#include <dwell/connection/sleep_for.hpp>
#include <dwell/connection/suspension.hpp>

#include "connection/coroutine.hpp"
#include "connection/loop.hpp"
#include "connection/loop_coroutine.hpp"
#include "connection/spawned_coroutine.hpp"

#include <cassert>
#include <utility>

namespace dwell::inline v0 {

suspension::~suspension() { unlink(); }

void suspension::suspend(std::coroutine_handle<> sleeper) noexcept {
  loop* const here = loop::current();
  assert(here != nullptr && here->running() != nullptr && "dwell: awaited outside of a handler");
  waiting_ = here->running();
  sleeper_ = sleeper;
  link(waiting_->suspensions);
}

void suspension::give_up() noexcept {
  unlink();
  sleeper_ = nullptr;
}

void suspension::resume() noexcept {
  coroutine& waiting = *waiting_;
  loop& here = host();
  if (waiting.what == coroutine::kind::of_loop) {
    return here.run_coroutine(loop_coroutine::of(waiting), [this] { resume_ended(); });
  }
  slot& c = *waiting.peer;
  if (waiting.what == coroutine::kind::spawned) {
    const spawned_coroutine::holder held{spawned_coroutine::of(waiting)};
    here.run_handler(c, [this] { resume_ended(); });
  } else {
    const bool outlived = waiting.outlives;
    here.run_handler(c, [this] { resume_ended(); });
    if (outlived && !waiting.body) c.frame_outlives = false;
  }
  here.free_unless_outlived(c);
}

void suspension::resume_ended() {
  unlink();
  waiting_->resume(std::exchange(sleeper_, nullptr));
}

void suspension::resume_within() {
  if (waiting_->what != coroutine::kind::spawned) return resume_ended();
  const spawned_coroutine::holder held{spawned_coroutine::of(*waiting_)};
  resume_ended();
}

void suspension::waits_for_peer(bool on) noexcept { waiting_->owe(!on); }

void suspension::resume_later() noexcept { host().mail()->resume(*this); }

loop& suspension::host() const noexcept { return waiting_->host(); }

asio::io_context* suspension::asio_host() const noexcept { return host().io().host(); }
asio::io_context* suspension::current_asio_host() noexcept {
  assert(loop::current() != nullptr && "dwell: not on a loop");
  return loop::current()->io().host();
}
asio::io_context* suspension::asio_host(connection& peer) noexcept {
  return as_slot(peer).service->host->io().host();
}

bool suspension::has_ended() const noexcept {
  return waiting_->peer == nullptr ? waiting_->outlives : waiting_->peer->is_released();
}

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
  if (suspended()) host().timers().cancel(timer_);
}

void sleep_operation::start(std::coroutine_handle<> sleeper) {
  suspend(sleeper);
  try {
    timer_ = host().timers().start(length_, *this);
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
  host().timers().cancel(timer_);
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

}  // namespace dwell::inline v0
