#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace dwell::inline v0 {

/// How the server ends.
struct drain_options {
  /// Time for exchanges under way; then the rest is aborted. `off`: wait for ever. 10 s: well below
  /// what systemd (90 s) and Kubernetes (30 s) wait before they kill.
  duration deadline = std::chrono::seconds{10};
  /// Keeps listening for this long after the drain has begun, for load balancers to notice; then
  /// listeners close. 0: without one there is nobody to wait for.
  duration delay{0};
};

/// The process: threads, connections, the end, logging.
struct server_options {
  /// Loops, one thread each, up to 1,024; 0: one per usable CPU. 1: nothing to synchronise.
  int threads = 1;
  /// Connections over all loops, at least 1; cut to RLIMIT_NOFILE less a reserve (and a line is
  /// logged).
  std::uint64_t connections = unlimited;
  /// What becomes of a new connection beyond that. evict_idle: a client that speaks is worth more
  /// than one that is silent.
  when_full full = when_full::evict_idle;
  /// What the clients of one address may take of that; off.
  per_address_limits per_address{};
  /// How the server ends.
  drain_options drain{};
  /// Functions posted to one loop and not yet run; at least 1. Beyond it server::post says false.
  /// 65,536: a post to each of a loop's connections fits.
  std::size_t mailbox = 65'536;
  /// Threads that run what dwell::offload is given, 1 to 1,024; started on first use. 4: a few
  /// calls may block at the same time.
  int workers = 4;
  /// Null: an own asynchronous logger to standard error. spdlog's registry is never touched.
  std::shared_ptr<spdlog::logger> logger{};
};

}  // namespace dwell::inline v0
