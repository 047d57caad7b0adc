#pragma once

#include "base/block_pool.hpp"
#include "base/counters.hpp"
#include "base/slab.hpp"
#include "connection/loop_counters.hpp"
#include "connection/mailbox.hpp"
#include "connection/slot.hpp"
#include "deadline/reaper.hpp"
#include "engine/engine.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace dwell {

class server;

/// What the loops of one server ask of it. Called from every loop's thread.
class loop_owner {
 public:
  /// A new connection wants in. False: over the limit; the loop then makes room or refuses.
  virtual bool admit() noexcept = 0;
  /// A slot is free again.
  virtual void readmit() noexcept = 0;
  /// Where an accepted connection goes; null: to the loop that accepted it.
  virtual loop* deal(loop& from) noexcept = 0;
  /// Accepting hit a limit that will last: pauses it on all loops for a moment.
  virtual void pause_accepting() noexcept = 0;
  virtual void log_close(const slot& which, const close_record& record) noexcept = 0;
  virtual void log_failure(const slot& which, const char* what) noexcept = 0;
  virtual void log_accept_failed(int error) noexcept = 0;
  virtual server& facade() noexcept = 0;

 protected:
  ~loop_owner() = default;
};

/// Something that waits for a moment on a loop's wheel. Owned by whoever starts it.
class timer_target {
 public:
  virtual void fire() = 0;

 protected:
  ~timer_target() = default;
};

/// The connections of one thread: what the engine tells is turned into handler calls, deadlines are
/// kept, and every connection is led to its end. Single-threaded; other threads use mail().
class loop final : public engine_events {
 public:
  loop(std::uint32_t index, block_pool& pool, engine& io, loop_owner& owner,
       std::size_t mailbox_capacity, when_full policy);
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// The loop whose callback or coroutine runs on this thread; null elsewhere.
  static loop* current() noexcept;

  std::uint32_t index() const noexcept { return index_; }
  engine& io() noexcept { return *io_; }
  block_pool& pool() noexcept { return *pool_; }
  loop_owner& owner() noexcept { return *owner_; }
  const std::shared_ptr<mailbox>& mail() noexcept { return mail_; }
  const loop_counters& counters() const noexcept { return counters_; }
  /// The connection whose handler runs right now, or null.
  slot* active() noexcept { return active_; }

  void host(const service& what);
  slot* find(connection_id id) noexcept;
  connection_id id_of(const slot& c) const noexcept { return {c.generation(), c.io.slot, index_}; }
  std::uint32_t visit(std::uint32_t from, std::uint32_t slots,
                      const std::function<void(connection&)>& call);

  // ── what handlers cause (see connection.hpp) ──
  bool send(slot& c, bytes data) noexcept;
  void half_close(slot& c) noexcept;
  void close(slot& c, close_reason reason, std::optional<close_method> method = {}) noexcept;
  void resume(slot& c) noexcept;
  bool finish_exchange(slot& c) noexcept;
  bool is_last_exchange(const slot& c) const noexcept;
  void deadlines_changed(slot& c) noexcept;
  std::size_t queued(const slot& c) const noexcept;
  std::optional<duration> time_left(const slot& c) const noexcept;
  void mark(slot& c, pending_work what) noexcept;
  void release_owed(slot& c) noexcept;
  /// Runs user code of `c` and then does what it caused. Not reentrant.
  template <class Call>
  void run_handler(slot& c, Call&& call) {
    enter(c);
    guarded(c, std::forward<Call>(call));
    leave(c);
  }
  void fail_handler(slot& c, const char* what) noexcept;
  /// A coroutine that outlived its connection has ended: the slot may go.
  void frames_ended(slot& c) noexcept;

  // ── timers of handlers ──
  std::uint32_t start_timer(duration delay, timer_target& whom);
  void cancel_timer(std::uint32_t timer) noexcept;

  // ── the server's orders ──
  void adopt(const accepted& fresh);
  void accept(bool on) { io_->set_accepting(on); }
  void drain();
  void abort_all();
  bool empty() const noexcept { return slots_.size() == 0; }
  /// Called once nothing is left after drain().
  void when_empty(std::function<void()> call) { when_empty_ = std::move(call); }
  /// Destroys what is left, suspended handlers included. The engine must not run any more.
  void destroy_all() noexcept;

  // ── engine_events ──
  stream* find(std::uint32_t slot, std::uint32_t generation) noexcept override;
  stream* on_accept(const accepted& fresh) override;
  void on_accept_failed(int error) override;
  void on_received(stream& from, const received& input) override;
  void on_writable(stream& to) override;
  void on_hangup(stream& from) override;
  void on_time() override;
  void on_wake() override;
  void on_turn_end() override;

 private:
  struct timer {
    timer_target* whom;
  };
  enum class swept : std::uint8_t { drain, abort };

  static slot& of(stream& what) noexcept;
  void enter(slot& c) noexcept;
  void leave(slot& c) noexcept;
  template <class Call>
  bool guarded(slot& c, Call&& call) noexcept;

  // input.cpp
  void deliver(slot& c, bytes data);
  void redeliver(slot& c);
  void discard(slot& c, bytes data) noexcept;
  void end_of_input(slot& c);
  bool look(slot& c);
  bool may_read(const slot& c) const noexcept;

  // output.cpp
  bool push(slot& c) noexcept;
  void took(slot& c, std::size_t count) noexcept;
  void update_watermarks(slot& c) noexcept;

  // phases.cpp: which deadline counts, and what happens at it
  phase phase_of(const slot& c) const noexcept;
  void update_deadline(slot& c) noexcept;
  std::optional<tick> due(const slot& c) const noexcept;
  std::optional<tick> at_deadline(slot& c);
  bool check_acknowledged(slot& c) noexcept;
  void stretch_handle(slot& c) noexcept;
  std::optional<std::uint64_t> lifetime_due(const slot& c) const noexcept;
  void arm();

  // ending.cpp: how it leaves
  void step(slot& c, lifecycle_event what);
  void decide(slot& c, close_reason reason, std::optional<close_method> method) noexcept;
  void advance(slot& c);
  void after_flush(slot& c);
  void reap(slot& c, close_reason reason);
  void lose_peer(slot& c, int error);
  void release(slot& c, lifecycle_action how);
  void report(slot& c, const close_record& record);
  close_record make_record(slot& c, dwell::release how);
  void forget_timers(slot& c) noexcept;

  // admission.cpp
  bool make_room();
  slot* longest_idle() noexcept;
  void sweep(swept what);

  std::uint32_t index_;
  block_pool* pool_;
  engine* io_;
  loop_owner* owner_;
  when_full policy_;
  std::shared_ptr<mailbox> mail_;
  loop_counters counters_;
  slab<slot> slots_;
  reaper reaper_;
  timing_wheel timer_wheel_;
  slab<timer> timers_;
  std::vector<std::unique_ptr<hosted_service>> services_;
  std::vector<std::uint32_t> erased_;  // closed in this turn: their slots are free after it
  std::vector<unique_function<void(loop&)>> posted_;
  std::size_t posted_done_ = 0;
  std::uint64_t last_generation_ = 0;
  std::uint64_t stalled_total_ = 0;
  std::uint32_t dirty_head_;
  std::uint32_t dirty_tail_;
  slot* active_ = nullptr;
  std::byte* gather_;  // what the running callback has sent
  std::size_t gathered_ = 0;
  bool draining_ = false;
  bool more_to_reap_ = false;
  std::uint64_t random_;
  std::function<void()> when_empty_;
  loop* outer_ = nullptr;
};

}  // namespace dwell
