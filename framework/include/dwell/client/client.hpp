#pragma once

#include <dwell/base/unique_function.hpp>
#include <dwell/connection/options.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/server/server.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace asio {
class io_context;
}

namespace spdlog {
class logger;
}

namespace dwell::inline v0 {

class server_core;

/// The process of a client: threads, connections, logging.
struct client_options {
  /// Loops, one thread each, up to 1,024; 0: one per usable CPU.
  int threads = 1;
  /// Connections over all loops, those on their way included; cut to RLIMIT_NOFILE less a reserve.
  /// One more fails as connect_failure::over_limit.
  std::uint64_t connections = unlimited;
  /// Threads that run what dwell::offload is given, 1 to 1,024; started on first use.
  int workers = 4;
  /// Null: an own asynchronous logger to standard error.
  std::shared_ptr<spdlog::logger> logger{};
  /// Whether each loop has a descriptor table of its own, as server_options::tables.
  descriptor_tables tables = descriptor_tables::shared;
};

/// Loops for programs that connect and do not listen. It ends when every coroutine that was spawned
/// has ended and every connection with it. Made and destroyed on one thread; spawn(), stop() and
/// counts() may be called from any.
class client {
 public:
  explicit client(client_options options = {});
  /// One loop on the caller's io_context and thread: runs whenever that does. The io_context must
  /// outlive the client, and nobody may be running it while the client is destroyed.
  client(asio::io_context& host, client_options options = {});
  /// Stops if it still runs; destroys coroutines that are still suspended.
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Runs a coroutine on loop `loop` (below loops()), once the client runs. `body`, and with it
  /// what it captures, lives until the coroutine has ended. It may await dwell::connect(),
  /// sleep_for(), offload() and, with <dwell/asio.hpp>, what Asio has. An exception ends it and is
  /// logged; run() tells. Destroyed unrun once the client has ended.
  void spawn(unique_function<task<>()> body, std::uint32_t loop = 0);

  /// Runs loop 0 on this thread until all has ended, or stop(). Takes no signals but those of
  /// on_signal(). Returns the exit code for main: 1 when a coroutine ended with an exception.
  int run();
  /// Runs `action` on loop 0 when the process gets `signal_number`. Before run().
  void on_signal(int signal_number, std::function<void()> action);
  /// Runs all loops on threads of their own and returns.
  void start();
  /// Waits until a started client has ended.
  void wait();
  /// Aborts every connection; what is awaited comes back. Coroutines have a second to end.
  void stop() noexcept;

  std::uint32_t loops() const noexcept;
  server_counts counts() const noexcept;

 private:
  friend class server_core;
  explicit client(std::unique_ptr<server_core> core);
  server_core* core_;
  std::unique_ptr<server> loops_;  // what connection::server() tells; it serves nothing
};

}  // namespace dwell::inline v0
