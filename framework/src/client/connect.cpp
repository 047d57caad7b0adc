#include <dwell/client/connect.hpp>

#include "client/attempt.hpp"
#include "connection/loop.hpp"
#include "connection/mailbox.hpp"

#include <cassert>
#include <utility>

namespace dwell::inline v0 {
namespace {

loop& here() noexcept {
  loop* const running = loop::current();
  assert(running != nullptr && running->running() != nullptr &&
         "dwell: connect() is for coroutines that run on a loop");
  return *running;
}

}  // namespace

// ── the owner ──

outbound::outbound(connection& peer, std::shared_ptr<mailbox> where) noexcept
    : peer_{&peer}, where_{std::move(where)}, id_{peer.id()} {}

outbound::outbound(outbound&& other) noexcept
    : peer_{std::exchange(other.peer_, nullptr)},
      where_{std::move(other.where_)},
      id_{other.id_},
      error_{other.error_} {}

outbound& outbound::operator=(outbound&& other) noexcept {
  std::swap(peer_, other.peer_);
  std::swap(where_, other.where_);
  std::swap(id_, other.id_);
  std::swap(error_, other.error_);
  return *this;
}

outbound::~outbound() {
  if (peer_ == nullptr) return;
  if (loop* const now = loop::current(); now != nullptr && now->mail() == where_) {
    if (slot* const c = now->find_even_released(id_)) now->let_go(*c);
    return;
  }
  where_->order([id = id_](loop& there) {
    if (slot* const c = there.find_even_released(id)) there.let_go(*c);
  });
}

// ── awaiting it ──

/// A connection that a coroutine waits for.
class awaited_attempt final : route, attempt, suspension {
 public:
  awaited_attempt(loop& on, const connect_options& to)
      : route{to}, attempt{on, *this, on.hosting_awaited(to_service_options(to), to.on_close)} {}
  ~awaited_attempt() override = default;

  bool start(std::coroutine_handle<> waiter) {
    suspend(waiter);
    if (begin()) return true;
    suspension::give_up();
    on().count_connect_failure();
    return false;
  }

  outbound take_result() noexcept { return std::move(result_); }
  const connect_error& why() const noexcept { return error(); }

 private:
  void arrived() override {
    slot* const made = take();
    if (made == nullptr) return failed();
    result_ = outbound{*made, on().mail()};
    resume();
  }
  void failed() override {
    on().count_connect_failure();
    if (suspended()) resume();
  }
  void discard() noexcept override {}
  void connection_ended() override {
    attempt::give_up(connect_failure::ended);
    on().count_connect_failure();
    resume_ended();
  }

  outbound result_;
};

connect_operation::connect_operation(const connect_options& to)
    : attempt_{std::make_unique<awaited_attempt>(here(), to)} {}

connect_operation::~connect_operation() = default;

bool connect_operation::start(std::coroutine_handle<> waiter) { return attempt_->start(waiter); }

outbound connect_operation::await_resume() noexcept {
  if (outbound made = attempt_->take_result()) return made;
  return outbound{attempt_->why()};
}

}  // namespace dwell::inline v0
