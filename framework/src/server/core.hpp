#pragma once

#include <dwell/server/server.hpp>

#include "base/block_pool.hpp"
#include "base/log.hpp"
#include "connection/address_limits.hpp"
#include "connection/loop.hpp"
#include "connection/service.hpp"
#include "engine/engine.hpp"
#include "server/drain_steps.hpp"
#include "server/pressure_ladder.hpp"

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <spdlog/logger.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace dwell::inline v0 {

class client;
class epoll_engine;
struct own_tables;
class process_signals;
class tls_service;

/// Can end before it is destroyed: what its handlers own closes on the thread that calls this.
class loop_context final : public asio::io_context {
 public:
  using asio::io_context::io_context;
  void destroy_handlers() { shutdown(); }
};

/// What a loop stands on. Order matters: the loop goes before the engine, that before the
/// io_context.
struct loop_host {
  std::unique_ptr<loop_context> context;  // null: the user's, or simulated
  block_pool pool;
  std::unique_ptr<engine> io;
  epoll_engine* epoll = nullptr;  // null: simulated
  std::unique_ptr<loop> connections;
  std::thread thread;
  bool ended = false;                          // nothing is left on it; only its own thread asks
  std::unique_ptr<asio::thread_pool> workers;  // of the first, unless tables are per_loop
  std::once_flag workers_started;
  std::uint32_t table = 0;  // where its descriptors are (net/descriptor_table.hpp)
  std::uint64_t batch = 0;  // accepted in this one, and no slots yet

  void end_workers();
};

/// Looks at the pressure again and again while there is some, on loop 0. It needs no memory to.
class pressure_watch final : public timer_target {
 public:
  explicit pressure_watch(server_core& of) noexcept : of_{&of} {}
  void belong_to(loop& first) {
    timers_ = &first.timers();
    timer_ = timers_->keep(*this);
  }
  void again() noexcept { timers_->restart(timer_, pressure_ladder::interval); }

 private:
  void fire() override;
  server_core* of_;
  loop_timers* timers_ = nullptr;
  std::uint32_t timer_ = 0;
};

/// The server behind the facade: services, loops, the connection limit, and the way to the end.
class server_core final : public loop_owner {
 public:
  using engine_factory = std::function<std::unique_ptr<engine>(block_pool&)>;

  /// Loops on threads of their own.
  explicit server_core(server_options options);
  /// One loop on the user's io_context, running whenever that runs.
  server_core(server_options options, asio::io_context& host);
  /// One loop on an engine that somebody else turns; log lines carry its time.
  server_core(server_options options, const engine_factory& make_engine);
  ~server_core();
  server_core(const server_core&) = delete;
  server_core& operator=(const server_core&) = delete;

  /// It serves nothing: it ends by itself once what was spawned has ended, and every connection.
  /// Before it runs; embedded: before anything is spawned.
  void become_client();
  void spawn(std::uint32_t loop, unique_function<task<>()> body);
  /// A coroutine of a client's has ended with an exception.
  bool has_failed() const noexcept { return failed_; }

  /// A server on top of this core; for dwell::testing.
  static std::unique_ptr<server> make_server(std::unique_ptr<server_core> core);
  static std::unique_ptr<client> make_client(std::unique_ptr<server_core> core);
  void set_facade(server& facade) noexcept { facade_ = &facade; }

  endpoint serve(service_options options, handler what);
  int run();
  void on_signal(int signal_number, std::function<void()> action);
  void start();
  void wait();
  void reload_certificates();
  void drain() noexcept;
  void stop() noexcept;
  bool post(connection_id id, unique_function<void(connection&)> fn);
  void each(std::function<void(connection&)> visit, std::function<void()> done);
  void each(std::function<void(connection&)> visit, std::function<void(std::uint32_t)> loop_done);
  server_counts counts() const noexcept;
  std::vector<service_status> services() const;
  server_stage stage() const noexcept { return stage_; }
  drain_progress draining() const;
  std::uint32_t loops() const noexcept { return static_cast<std::uint32_t>(hosts_.size()); }
  std::uint64_t capacity() const noexcept { return ladder_.limit(); }
  pressure_status pressure() const noexcept { return ladder_.status(); }
  descriptor_tables tables() const noexcept;
  std::uint64_t set_connections(std::uint64_t connections);
  spdlog::logger& logger() const noexcept { return *logger_; }

  // ── loop_owner ──
  bool has_room(const loop& which, bool first) noexcept override;
  bool admit() noexcept override;
  void admit_over_limit() noexcept override { ladder_.take_over_limit(); }
  void task_failed(const char* what) noexcept override;
  void readmit() noexcept override;
  void wait_for_room() noexcept override;
  bool waits_for_room() const noexcept override { return ladder_.is_waiting(); }
  gate accepting() const noexcept override { return ladder_.accepting(); }
  bool shrinks_idle() const noexcept override { return ladder_.shrinks_idle(); }
  bool evicts() const noexcept override { return ladder_.evicts(); }
  void evicted() noexcept override;
  void refused() noexcept override;
  void saw_descriptor(int number) noexcept override;
  void memory_changed(std::int64_t bytes) noexcept override;
  void turn_was_long(duration length) noexcept override;
  void watch_pressure() noexcept override;
  loop* deal(loop& from, const service& what) noexcept override;
  void pause_accepting(loop& where, bool relieved) noexcept override;
  duration accept_pause() const noexcept override;
  void log_close(const slot& which, const close_record& record) noexcept override;
  void log_failure(const slot& which, const char* what) noexcept override;
  void log_accept_failed(int error, std::uint64_t now) noexcept override;
  void log_held(const slot& which, duration for_so_long) noexcept override;
  void log_untrusted(const service& what, const socket_address& peer,
                     std::uint64_t now) noexcept override;
  void run_off_loop(offload_job& job) override;
  server& facade() noexcept override { return *facade_; }

 private:
  friend pressure_watch;
  /// Milliseconds, for any thread.
  std::uint64_t now() const noexcept;
  void begin_work() noexcept { work_.fetch_add(1, std::memory_order_relaxed); }
  void end_work() noexcept;
  void add_host(std::unique_ptr<loop_context> context, asio::io_context& runs_on);
  void add_loop(loop_host& host);
  std::uint64_t cut_to_descriptors(std::uint64_t connections) const;
  void limit_to_descriptors();
  std::uint64_t most_of_a_loop(std::uint64_t descriptors) const noexcept;
  /// Something was reported that may take the ladder up.
  void climb() noexcept;
  void take_step(const pressure_ladder::step& step) noexcept;
  void look_at_pressure() noexcept;
  listener_options listener_for(const service& what) const;
  endpoint listen(service& what);
  void secure(service& what);
  void order_all(const std::function<void(loop&)>& order) noexcept;
  void order_all(standing_order what) noexcept;
  void begin();
  void start_loops();
  void run_loop(loop_host& host);

  // own_tables.cpp
  void make_tables(std::uint64_t room_of_each);
  void begin_in_own_tables();
  void run_in_own_table(loop_host& host);
  void accepted_in_turn(loop& here) noexcept;
  void pass_turn(std::uint32_t from) noexcept;
  std::uint32_t next_with_room(std::uint32_t after) const noexcept;
  void fill_vacant_turn(std::uint32_t after) noexcept;
  void give_turn(std::uint32_t to) noexcept;
  void rest_from_accepting(loop& where, duration pause) noexcept;

  bool enter(drain_step next, std::optional<duration> bound = {}) noexcept;
  void accept_the_last(loop& first);
  void finish_exchanges(loop& on);
  void abort_rest() noexcept;
  void log_step(const drain_progress& now) noexcept;
  void loop_ended(loop& which);
  static void stop_turning(loop_host& host);
  void join_threads();

  server_options options_;
  std::shared_ptr<spdlog::logger> logger_;
  server* facade_ = nullptr;
  /// Services are added on one thread while others read what they have counted.
  mutable std::mutex adding_;
  std::vector<std::unique_ptr<service>> services_;
  std::unique_ptr<address_limits> addresses_{make_address_limits(options_.per_address)};
  std::vector<std::shared_ptr<tls_service>> secured_;
  std::atomic<std::uint64_t> reloaded_{0}, not_reloaded_{0};
  std::vector<std::unique_ptr<loop_host>> hosts_;
  std::unique_ptr<process_signals> signals_;
  std::unique_ptr<own_tables> tables_;  // null: the process's, for all
  pressure_ladder ladder_;
  pressure_watch pressure_watch_{*this};
  std::atomic<bool> watching_pressure_{false};
  std::atomic<std::uint64_t> work_{0};  // of a client: coroutines and connections
  bool is_client_ = false;
  std::atomic<bool> failed_{false};
  std::atomic<server_stage> stage_{server_stage::made};
  drain_steps drain_;
  std::atomic<std::size_t> loops_running_{0};
  std::atomic<std::size_t> loops_accepting_{0};
  std::atomic<std::uint32_t> next_dealt_{0};
  bool embedded_ = false;
  bool stopped_by_second_signal_ = false;

  std::array<rate_limit, close_reason_count> close_lines_;
  rate_limit failure_lines_;
  rate_limit accept_lines_;
  rate_limit held_lines_;
  rate_limit pressure_lines_;
  rate_limit untrusted_lines_;
};

}  // namespace dwell::inline v0
