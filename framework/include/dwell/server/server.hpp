#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/handler.hpp>
#include <dwell/connection/turns.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/net/handshake_result.hpp>
#include <dwell/net/proxy_protocol.hpp>
#include <dwell/server/drain_progress.hpp>
#include <dwell/server/options.hpp>
#include <dwell/server/pressure.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace asio {
class io_context;
}

namespace spdlog {
class logger;
}

namespace dwell::inline v0 {

class server_core;

/// Where a server is in its life.
enum class server_stage : std::uint8_t {
  made,  ///< does not run yet
  running,
  draining,  ///< on its way to the end, since drain(), stop() or a signal
  ended,
};

/// What happened to connections since the start; monotonic except `live` and `waiting_for_frames`.
/// Each figure is exact; two figures read while connections come and go may be a moment apart.
struct connection_counts {
  std::uint64_t opened = 0;
  std::uint64_t live = 0;  ///< connections whose descriptor is open
  /// Closed, but a handler's coroutine still uses the slot: it counts against
  /// server_options::connections.
  std::uint64_t waiting_for_frames = 0;
  std::array<std::uint64_t, close_reason_count> closed{};  ///< by close_reason
  /// The same by close_method, as it was carried out (close_record::done).
  std::array<std::uint64_t, close_method_count> methods{};
  std::array<std::uint64_t, time_wait_count> time_wait{};  ///< by dwell::time_wait
  std::uint64_t observed = 0;    ///< of those, how many were seen rather than expected
  std::uint64_t reap_raced = 0;  ///< connections whose peer sent while our FIN was on its way
  std::uint64_t evicted = 0;     ///< made room for a new one
  std::uint64_t refused = 0;     ///< not let in
  /// Of `refused`, and behind a proxy of those closed as `overload`: server_options::per_address.
  std::uint64_t over_address_limit = 0;
  std::uint64_t shrunk = 0;  ///< idle_timeout before deadlines.idle, by pressure
  std::array<std::uint64_t, handshake_result_count> handshakes{};  ///< TLS, by handshake_result
  /// Behind proxies, by proxy_header_result.
  std::array<std::uint64_t, proxy_header_result_count> proxy_headers{};
  std::uint64_t exchanges = 0;
  std::uint64_t received = 0;  ///< bytes
  std::uint64_t sent = 0;      ///< bytes
  /// The watchdog has named them: for deadlines.close after the peer's FIN the handler had neither
  /// read nor written, and owed no answer.
  std::uint64_t held = 0;
  /// The same of those of waiting_for_frames, deadlines.close after their end.
  std::uint64_t frames_held = 0;
};

/// Totals over all services and loops since the start.
struct server_counts : connection_counts {
  std::uint64_t accept_failed = 0;   ///< EMFILE and its like; accepting paused each time
  std::uint64_t reaped_later = 0;    ///< had to wait for pressure_options::reap_rate
  std::uint64_t connected = 0;       ///< of `opened`, those that we made: outbound
  std::uint64_t connect_failed = 0;  ///< attempts to connect that came to nothing
  std::uint64_t reloaded = 0;        ///< calls of reload_certificates() that put them to use
  std::uint64_t not_reloaded = 0;    ///< calls that threw, and left those of before
  /// Turns by length: up to turn_bounds[i], and above all of them.
  std::array<std::uint64_t, turn_bounds.size() + 1> turns{};
  duration busy{};  ///< time spent in turns
  /// How long the loop that is busiest now has been in its turn: seconds mean that it is blocked.
  duration longest_turn_now{};
};

/// One service, over all loops.
struct service_status {
  std::string name;  ///< service_options::name
  endpoint where;    ///< what was bound
  connection_counts counts;
  /// Closed within the last 60 s with TIME_WAIT here or at both ends: so many are in TIME_WAIT, or
  /// on their way there, unless the kernel had to drop some.
  std::uint64_t time_wait_recently = 0;
};

/// Listens, and owns every connection. Made and destroyed on one thread; drain(), stop(), post(),
/// each(), and what only tells (counts(), stage(), …) may be called from any. Construction and
/// serve() throw std::system_error (a socket) or std::invalid_argument (an option), naming the
/// thing and the fix.
class server {
 public:
  /// A server for the process; give it services with serve().
  explicit server(server_options options = {});
  /// One service, one thread.
  server(service_options service, handler what);
  /// One loop on the caller's io_context and thread; takes no signals and starts no thread. The
  /// io_context must outlive the server, and nobody may be running it while the server is
  /// destroyed.
  server(asio::io_context& host, service_options service, handler what);
  server(asio::io_context& host, server_options options);
  /// Stops if it still runs; destroys handlers that are still suspended.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds and listens; connections are accepted once the server runs. Before run() or start()
  /// only. Returns what was bound.
  endpoint serve(service_options service, handler what);

  /// Runs loop 0 on this thread until SIGINT, SIGTERM, drain() or stop(). A signal drains; a second
  /// aborts what is left. Returns the exit code for main: 0, or 1 after a second signal.
  int run();
  /// Runs `action` on loop 0 when the process gets `signal_number`. Before run(); not for SIGINT or
  /// SIGTERM.
  void on_signal(int signal_number, std::function<void()> action);

  /// Starts all loops on threads of their own and returns. Takes no signals.
  void start();
  /// Waits until a started server has ended.
  void wait();
  /// Reads the files of every service's tls_options again; new connections get what they hold now,
  /// tickets stay good. From any thread, while the server runs too. Throws std::invalid_argument
  /// naming the file that cannot be used, and then all have what they had. Either is logged.
  void reload_certificates();

  /// Begins to end, in the steps of drain_step: idle connections close, others after their current
  /// exchange; what has arrived before our FIN is answered. At drain.deadline the rest is aborted.
  void drain() noexcept;
  /// Aborts every connection and ends the loops.
  void stop() noexcept;

  /// Runs `fn` on the connection's loop, soon; `fn` is destroyed there unrun when the connection
  /// has gone. False, and nothing happens, when that loop's mailbox is full.
  bool post(connection_id id, unique_function<void(connection&)> fn);
  /// Shows every open connection to `visit`, on its own loop, at most 1,000 slots a turn for all
  /// calls together; several loops call it at the same time. Connections that come or go meanwhile
  /// may be missed. `done` runs once, on the last loop to finish. A loop that has ended has nothing
  /// to show: then `done` runs where that is noticed, in this call, or at the latest while the
  /// server is destroyed.
  void each(std::function<void(connection&)> visit, std::function<void()> done = {});
  /// The same, telling of each loop apart, so that nobody has to wait for one that is blocked:
  /// `loop_done` runs once for each number below loops().
  void each(std::function<void(connection&)> visit,
            std::function<void(std::uint32_t loop)> loop_done);

  server_counts counts() const noexcept;
  /// In the order of serve().
  std::vector<service_status> services() const;
  server_stage stage() const noexcept;
  /// How far its drain is. Each figure is exact; two of them may be a moment apart.
  drain_progress draining() const;
  /// Loops, numbered from 0: connection_id::loop.
  std::uint32_t loops() const noexcept;
  /// How many connections it lets in at the same time: server_options::connections, or what
  /// set_connections() said since, cut to RLIMIT_NOFILE less a reserve, or to so many for each loop
  /// that has a table of its own.
  std::uint64_t capacity() const noexcept;
  /// Changes that, at least 1, also while the server runs; the same cut. Nobody is cut off: while
  /// more are open, a new one is one too many, as when full (server_options::full). Returns
  /// capacity(). Throws std::invalid_argument for 0. From any thread.
  std::uint64_t set_connections(std::uint64_t connections);
  /// What it does about having too much to hold.
  pressure_status pressure() const noexcept;
  /// server_options::tables.
  descriptor_tables tables() const noexcept;

  /// What it logs to: server_options::logger, or its own. Lives as long as the server.
  spdlog::logger& logger() const noexcept;

 private:
  friend class server_core;
  explicit server(std::unique_ptr<server_core> core);
  std::unique_ptr<server_core> core_;
};

}  // namespace dwell::inline v0
