#pragma once

#include <dwell/connection/suspension.hpp>

#include "base/block_pool.hpp"
#include "base/counters.hpp"
#include "base/slab.hpp"
#include "connection/accept_pause.hpp"
#include "connection/draining.hpp"
#include "connection/loop_counters.hpp"
#include "connection/loop_owner.hpp"
#include "connection/loop_pressure.hpp"
#include "connection/loop_timers.hpp"
#include "connection/mailbox.hpp"
#include "connection/outbound_services.hpp"
#include "connection/outgoing.hpp"
#include "connection/slot.hpp"
#include "deadline/reaper.hpp"
#include "engine/engine.hpp"
#include "engine/stream_filter.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace dwell::inline v0 {

class loop_coroutine;

/// The connections of one thread: what the engine tells is turned into handler calls, deadlines are
/// kept, and every connection is led to its end. Single-threaded; other threads use mail().
class loop final : public engine_events {
 public:
  loop(std::uint32_t index, block_pool& pool, engine& io, loop_owner& owner,
       const loop_options& options);
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// The loop whose callback or coroutine runs on this thread; null elsewhere.
  static loop* current() noexcept;

  std::uint32_t index() const noexcept { return index_; }
  engine& io() noexcept { return *io_; }
  block_pool& pool() noexcept { return *pool_; }
  loop_timers& timers() noexcept { return timers_; }
  loop_owner& owner() noexcept { return *owner_; }
  const std::shared_ptr<mailbox>& mail() noexcept { return mail_; }
  const loop_counters& counters() const noexcept { return counters_; }
  const service_counters& counters(std::size_t service) const noexcept {
    return services_[service]->counters;
  }
  /// The first of its services that do not listen; the others by hosted_service::next.
  const hosted_service* outbound() const noexcept { return outbound_.load(); }
  slot* active() noexcept { return active_; }  // whose handler runs right now, or null

  void host(const service& what);
  /// Address space for so many connections: growing copies nothing, memory comes as they do.
  void reserve(std::uint64_t connections);
  slot* find(connection_id id) noexcept;
  /// The same, also of one that is released while somebody still holds it.
  slot* find_even_released(connection_id id) noexcept;
  connection_id id_of(const slot& c) const noexcept { return {c.generation(), c.io.slot, index_}; }
  std::uint32_t visit(std::uint32_t from, std::uint32_t slots,
                      const std::function<void(connection&)>& call);

  // ── what handlers cause (see connection.hpp) ──
  bool send(slot& c, bytes data) noexcept;
  bool send_file(slot& c, file_part what) noexcept;
  void half_close(slot& c) noexcept;
  void close(slot& c, close_reason reason, std::optional<close_method> method = {}) noexcept;
  void resume(slot& c) noexcept;
  bool finish_exchange(slot& c) noexcept;
  void count_exchange(slot& c) noexcept;
  bool is_last_exchange(const slot& c) const noexcept;
  bool shall_announce_end(slot& c, bool more_came) noexcept;
  void deadlines_changed(slot& c) noexcept;
  std::size_t queued(const slot& c) const noexcept;
  std::optional<duration> time_left(const slot& c) const noexcept;
  /// The watchdog has named it, and nothing has changed since.
  bool is_held(const slot& c) const noexcept;
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
  /// A coroutine has ended, or run on: if it was the last that outlived its connection, the slot
  /// may go.
  void free_unless_outlived(slot& c) noexcept;
  /// Whose await expression runs; null outside of coroutines.
  coroutine* running() const noexcept { return running_; }
  void set_running(coroutine* which) noexcept { running_ = which; }

  // ── outbound.cpp: connections that we make, and coroutines without one ──
  /// The part of `what` that is this loop's; with its owner, if it has one, it stays as long.
  hosted_service& hosting(const service& what, std::shared_ptr<const void> owner = {});
  /// One for connections that coroutines await, for all that want the same options.
  hosted_service& hosting_awaited(
      const service_options& options,
      const std::function<void(const connection&, const close_record&)>* on_close);
  /// False: the loop ends.
  bool enlist(outgoing& which);
  void delist(outgoing& which) noexcept;
  /// It has another socket: what comes for the one before is not for it.
  void renew(outgoing& which) noexcept;
  /// `arrived` has become a connection, whose session `start` makes (null: by default). Its on_open
  /// has run when this returns. Null: no memory.
  slot* take_connected(outgoing& arrived, hosted_service& hosted, const raw_address& peer,
                       const std::function<void(void*)>& start = {});
  /// The same up to the handshake, of which `filter` is the client's end.
  slot* take_unsecured(outgoing& arrived, hosted_service& hosted, const raw_address& peer,
                       std::unique_ptr<stream_filter> filter);
  void start_handshake(slot& c);  // `arrived` may be told, and be destroyed, before it returns
  void open_secured(slot& c, const std::function<void(void*)>& start);  // it is done
  void give_up_handshake(slot& c) noexcept;                             // nobody waits for it
  void count_connect_failure() noexcept { counters_.connect_failed.add(); }
  /// The owner of an awaited connection has gone.
  void let_go(slot& c) noexcept;
  void start_coroutine(unique_function<task<>()> body);
  /// Runs user code that belongs to no connection; what it throws is logged. Not reentrant.
  template <class Call>
  void run_apart(Call&& call) noexcept {
    outer_ = exchange_current(this);
    active_ = nullptr;
    try {
      call();
    } catch (const std::exception& failure) {
      owner_->task_failed(failure.what());
    } catch (...) {
      owner_->task_failed("an exception that is not a std::exception");
    }
    exchange_current(outer_);
  }
  template <class Call>
  void run_coroutine(loop_coroutine& which, Call&& call) {
    run_apart(std::forward<Call>(call));
    forget_if_ended(which);
  }

  // ── the server's orders ──
  /// Runs `slice` in a turn in which no other slice runs: work that is too much for one turn asks
  /// again from there. Destroyed unrun when the loop ends first.
  void run_slice(unique_function<void(loop&)> slice);
  /// An order of the server's: what it could not do for want of memory is logged.
  void carry_out(unique_function<void(loop&)> order) noexcept;
  /// Nothing is run any more; whoever waits for it learns that by its destruction.
  void end_mail() noexcept;
  /// Takes over a connection that another loop accepted and reserved for.
  void adopt(const accepted& fresh);
  void accept(bool on) { io_->set_accepting(on); }
  void accept_again_after(duration pause) noexcept { accept_pause_.begin(pause); }
  void announce_end(duration over);  // by the answers to exchanges: of `over`, none to all
  void drain(const drain_pace& pace);
  void abort_all();
  bool empty() const noexcept {
    return slots_.size() == 0 && outgoing_.size() == 0 && coroutines_.empty();
  }
  /// Calls once, at the end of a turn, when no slot is used any more.
  void when_empty(std::function<void()> call) { when_empty_ = std::move(call); }
  /// Destroys what is left, suspended handlers included. The engine must not run any more.
  void destroy_all() noexcept;

  // ── engine_events ──
  stream* find(std::uint32_t slot, std::uint32_t generation) noexcept override;
  void prefetch(std::uint32_t slot) noexcept override;
  void for_each_stream(void (*call)(engine&, stream&)) override;
  void on_accept(const accepted& fresh) override;
  void on_accept_failed(int error) override;
  void on_turn_begin() override;
  admission reserve(bool certain) override;
  void unreserve(admission unused) override;
  void on_received(stream& from, const received& input) override;
  void on_connected(stream& which, bool in_error) override;
  void on_writable(stream& to) override;
  void on_hangup(stream& from) override;
  void on_peer_fin(stream& from) override;
  void on_time() override;
  void on_wake() override;
  void on_turn_end() override;

 private:
  static loop* exchange_current(loop* next) noexcept;
  void forget_if_ended(loop_coroutine& which) noexcept;
  void end_coroutines();
  slot& of(stream& what) noexcept { return slots_[what.slot]; }
  void enter(slot& c) noexcept;
  void leave(slot& c) noexcept;
  /// Runs user code; what it throws ends the connection as handler_failed.
  template <class Call>
  bool guarded(slot& c, Call&& call) noexcept {
    try {
      call();
      return true;
    } catch (const std::exception& failure) {
      fail_handler(c, failure.what());
    } catch (...) {
      fail_handler(c, "an exception that is not a std::exception");
    }
    return false;
  }
  void count_turn() noexcept;
  void obey(std::uint8_t standing);
  void free_later(slot& c) noexcept;
  void free_slots();
  void append_dirty(slot& c) noexcept;
  void do_marked();
  void do_work(slot& c);

  // input.cpp
  void count_received(slot& c, std::size_t count) noexcept;
  void on_input(slot& c, bytes data, bool more);
  void deliver(slot& c, bytes data);
  void keep_or_discard(slot& c, bytes rest);
  void redeliver(slot& c);
  void discard(slot& c, bytes data) noexcept;
  void end_of_input(slot& c);
  bool look(slot& c);
  void tell_end_of_input(slot& c);
  bool may_read(const slot& c) const noexcept;

  // filtered.cpp, proxied.cpp: connections with a stream_filter
  bool may_come(const accepted& fresh);
  void on_proxy_header(slot& c, bytes raw, bool more);
  void on_raw(slot& c, bytes raw, bool more);
  bool has_turn(slot& c, bytes raw);
  void resume_handshakes();
  stream_filter::received unfilter(slot& c, bytes raw);
  void finish_handshake(slot& c);
  void tell_not_secured(slot& c);
  slot* make_outbound(outgoing& arrived, hosted_service& hosted, const raw_address& peer) noexcept;
  bool answer(slot& c);
  void end_of_messages(slot& c);
  std::size_t unread_in(slot& c, bytes raw) noexcept;
  void filter_output(slot& c, bytes data);
  bytes filter_gathered(slot& c, bytes gathered);
  void end_output(slot& c, bool had_output) noexcept;
  void send_filtered(slot& c, bytes data);

  // output.cpp, file_output.cpp
  bool push(slot& c) noexcept;
  void queue_output(slot& c, bytes data);
  sent send_now(slot& c, bytes data, after_this follows) noexcept;
  sent send_queued(slot& c, after_this follows) noexcept;
  void push_with(slot& c, bytes more);
  static bool fin_follows(const slot& c) noexcept;
  after_this before_fin(slot& c, std::size_t gathered) noexcept;
  void uncork(slot& c) noexcept;
  void took(slot& c, std::size_t count) noexcept;
  void count_sent(slot& c, std::size_t count) noexcept;
  void update_watermarks(slot& c) noexcept;
  bool push_file(slot& c) noexcept;
  bool send_after_file(slot& c, bytes data) noexcept;
  bool push_plain_file(slot& c, outgoing_file& out);
  bool push_filtered_file(slot& c, outgoing_file& out);
  bool lives_after(slot& c, std::size_t count, int error);
  bool end_file(slot& c);
  bool lose_file(slot& c);

  // phases.cpp: which deadline counts, and what happens at it
  phase phase_of(const slot& c) const noexcept;
  static phase phase_of_work(const slot& c) noexcept;
  static bool is_idle(const slot& c) noexcept {
    return !c.decided && !c.is_released() && c.clock.current() == phase::idle;
  }
  void update_deadline(slot& c) noexcept;
  void collect();
  std::optional<tick> at_phase_end(slot& c);
  void end_slow(slot& c, close_reason reason);
  void end_stalled(slot& c);
  std::optional<tick> reap_in_turn(slot& c, close_reason reason);
  bool awaits_acknowledgement(const slot& c) const noexcept;
  tick next_look(const slot& c) const noexcept;
  std::optional<tick> due(const slot& c) const noexcept;
  std::optional<tick> deadline_of(const slot& c) const noexcept;
  std::optional<tick> at_deadline(slot& c);
  bool check_acknowledged(slot& c) noexcept;
  void stretch_handle(slot& c) noexcept;
  std::optional<std::uint64_t> lifetime_due(const slot& c) const noexcept;
  void arm();

  // watchdog.cpp
  void note_peer_done(slot& c) noexcept;
  std::optional<tick> next_watch(const slot& c) const noexcept;
  bool has_reason_to_stay(const slot& c) const noexcept;
  void look_after(slot& c) noexcept;
  void watch_frames(slot& c) noexcept;
  void look_after_frames(slot& c) noexcept;

  // ending.cpp: how it leaves
  bool is_last_by_limits(const slot& c) const noexcept;
  void step(slot& c, lifecycle_event what);
  void decide(slot& c, close_reason reason, std::optional<close_method> method) noexcept;
  void advance(slot& c);
  void update_watch(slot& c);
  lifecycle_event how_flushed(slot& c);
  void start_discarding(slot& c);
  void send_fin(slot& c) noexcept;
  void drain_input(slot& c) noexcept;
  bool is_settled(slot& c) noexcept;
  void poll_unacknowledged(slot& c);
  void end_session(slot& c) noexcept;
  void reap(slot& c, close_reason reason);
  bool say_last_words(slot& c, close_reason reason);
  void linger_after_reap(slot& c);
  void close_later(slot& c);
  void lose_peer(slot& c, int error);
  void release(slot& c, lifecycle_action how);
  void report(slot& c, const close_record& record);
  void count_close(slot& c, const close_record& record) noexcept;
  void end_attachments(slot& c) noexcept;
  void frames_ended(slot& c) noexcept;

  // record.cpp
  close_record make_record(slot& c, dwell::release how);
  void place_time_wait(slot& c, dwell::release how, close_record& record);

  // admission.cpp
  slot* make_slot(hosted_service& hosted, const socket_address& peer) noexcept;
  slot* take_in(const accepted& fresh);
  void open(slot& c, const std::function<void(void*)>& make_session = {});
  bool take_place(admission terms);

  // draining.cpp
  bool leaves_at_drain(const slot& c) const noexcept;
  bool is_new(const slot& c) const noexcept;
  void leave_after_exchange(slot& c) noexcept;
  void sweep();

  // pressure.cpp
  bool make_room();
  bool evict(std::uint32_t most);
  slot* longest_idle() noexcept;
  void refuse(const accepted& fresh);
  void turn_away(const accepted& fresh);
  void pressure_changed();
  void relieve();
  std::optional<tick> phase_end(const slot& c) const noexcept;
  tick shrunk_idle_end(const slot& c) const noexcept;

  std::uint32_t index_;
  block_pool* pool_;
  engine* io_;
  loop_owner* owner_;
  when_full policy_;
  std::shared_ptr<mailbox> mail_;
  loop_counters counters_;
  slab<slot> slots_;
  reaper reaper_;
  loop_timers timers_;
  accept_pause accept_pause_;
  std::vector<std::unique_ptr<hosted_service>> services_;
  std::deque<kept_service> hosted_;                 // those that do not listen
  std::atomic<hosted_service*> outbound_{nullptr};  // the last of them, for any thread to count
  std::deque<awaited_service> awaited_services_;
  slab<outgoing*> outgoing_;
  std::vector<std::unique_ptr<loop_coroutine>> coroutines_;
  std::uint32_t freed_head_;  // done with in this turn: their slots are free after it
  std::vector<unique_function<void(loop&)>> posted_;
  std::size_t posted_done_ = 0;
  std::deque<unique_function<void(loop&)>> slices_;
  bool mail_ended_ = false;
  std::uint64_t last_generation_ = 0;
  std::uint32_t stalled_total_ = 0;  // milliseconds
  std::uint32_t dirty_head_;
  std::uint32_t dirty_tail_;
  std::uint16_t turn_ = 0;
  slot* active_ = nullptr;  // whose handler runs
  coroutine* running_ = nullptr;
  slot* gatherer_ = nullptr;  // whose output is gathered: active, or just left
  std::byte* gather_;
  std::size_t gathered_ = 0;
  std::vector<std::byte> filtered_;        // what a filter made of output, until it is sent
  std::vector<std::byte> unfiltered_;      // room for what it makes of input
  std::vector<connection_id> handshakes_;  // that wait for their turn
  std::uint32_t handshakes_in_turn_ = 0;
  loop_drain drain_;
  bool ending_ = false;
  bool more_to_reap_ = false;
  std::uint32_t reaping_put_off_ = 0;  // turns in a row in which others came first
  std::uint32_t reaped_in_turn_ = 0;   // closed at the peer's FIN
  bool will_evict_ = false;
  loop_pressure pressure_;
  std::uint64_t random_;
  std::function<void()> when_empty_;
  loop* outer_ = nullptr;
};

}  // namespace dwell::inline v0
