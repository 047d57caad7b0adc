#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/server/pressure.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace dwell::inline v0 {

/// How the server ends, in the steps of dwell::drain_step.
struct drain_options {
  /// Time for exchanges under way once the listeners have closed; then the rest is aborted. `off`:
  /// wait for ever. 10 s: well below what systemd (90 s) and Kubernetes (30 s) wait before they
  /// kill.
  duration deadline = std::chrono::seconds{10};
  /// Keeps listening for this long after the drain has begun, for load balancers to notice, while
  /// more and more answers announce that their connection ends; then listeners close. 0: without a
  /// load balancer there is nobody to wait for.
  duration delay{0};
  /// Whoever was accepted less than this before the listeners closed, and has had no answer yet, is
  /// waited for: its request is on its way. So long after they have closed it counts as idle. 1 s:
  /// a lost segment has been sent again by then. 0: it counts as idle at once.
  duration first_request = std::chrono::seconds{1};
  /// Idle connections are closed over this time rather than all at once, so that those who come
  /// again elsewhere do not come together. 0: nothing to gain with few clients.
  duration spread{0};
};

/// Where the descriptors of connections are (unshare(2), CLONE_FILES).
enum class descriptor_tables : std::uint8_t {
  /// In the process's one table: RLIMIT_NOFILE bounds the connections of all loops together.
  shared,
  /// Loop 0 uses the process's table, every other loop has one of its own: RLIMIT_NOFILE bounds the
  /// connections of each. A descriptor's number then means something on its own loop only:
  /// docs/descriptor-tables.md says what that asks of a program. Not for embedded servers; a
  /// logger has to be asynchronous.
  per_loop,
};

/// The process: threads, connections, the end, logging.
struct server_options {
  /// Loops, one thread each, up to 1,024; 0: one per usable CPU. 1: nothing to synchronise.
  int threads = 1;
  /// Connections over all loops, at least 1; cut to RLIMIT_NOFILE less a reserve (and a line is
  /// logged); with tables of their own, to so many for each loop.
  std::uint64_t connections = unlimited;
  /// What becomes of a new connection beyond that. evict_idle: a client that speaks is worth more
  /// than one that is silent.
  when_full full = when_full::evict_idle;
  /// What the clients of one address may take of that; off.
  per_address_limits per_address{};
  /// When it has more to hold than it may, step by step.
  pressure_options pressure{};
  /// How the server ends.
  drain_options drain{};
  /// Functions posted to one loop and not yet run; at least 1. Beyond it server::post says false.
  /// 65,536: a post to each of a loop's connections fits.
  std::size_t mailbox = 65'536;
  /// Threads that run what dwell::offload is given, 1 to 1,024; started on first use. 4: a few
  /// calls may block at the same time. So many for each loop that has a table of its own.
  int workers = 4;
  /// Null: an own asynchronous logger to standard error. spdlog's registry is never touched.
  std::shared_ptr<spdlog::logger> logger{};
  /// Whether each loop has a descriptor table of its own. shared: a number means the same on every
  /// thread, as programs expect. Simulated servers have no descriptors, and do not ask.
  descriptor_tables tables = descriptor_tables::shared;
};

}  // namespace dwell::inline v0
