#pragma once

#include <dwell/net/endpoint.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Collectable;
}

namespace dwell::inline v0 {

class admin_core;
class server;

/// Where a server's admin endpoints are, and who may do what there.
struct admin_options {
  /// 127.0.0.1:9901: this machine only, where nothing else of ours is. From anywhere else everybody
  /// may read what the endpoints show, and change something only with `token`.
  endpoint listen{.address = "127.0.0.1", .port = 9901};
  /// Whoever sends `Authorization: Bearer <token>` may change something from anywhere; visible
  /// ASCII characters. Empty: only clients on this machine may. It crosses the network as it is:
  /// let it do so through TLS.
  std::string token{};
  /// Shown by /metrics after the server's own: a prometheus::Registry of yours, say. Collected on
  /// the admin's thread, whenever somebody asks.
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables{};
};

/// Shows a running server over HTTP, on a listener, a loop and a thread of its own, so that it
/// answers while the server's loops are busy:
///
///     dwell::server server{{.listen = {.port = 7777}}, echo};
///     dwell::admin admin{server, {.token = token}};
///     server.run();
///
/// - GET /: a page for browsers, and what is there as text for others.
/// - GET /connections: the open connections as JSON; filters, sort order and pages are parameters.
/// - GET /kernel: connections beside the kernel's sockets, as JSON or as a table.
/// - GET /metrics: totals, and the kernel's counters, in the text format of Prometheus.
/// - GET /healthz: 200 while the process lives. GET /readyz: 200, or 503 while the server does not
///   run, or drains.
/// - GET /status: all of them together, as JSON; what the page shows.
/// - POST /drain: drains the server. POST /close: closes one connection, or those that match. POST
///   /log, POST /limits: the log level, the connection limit (GET shows them). From this machine,
///   or with admin_options::token; each is a line in the server's log.
///
/// The kernel is asked about the network namespace of the thread that makes the admin.
///
/// Serves from its construction until it is destroyed, also before the server runs and after it has
/// ended; answers under way are given a second then. The server must outlive it. Made and destroyed
/// on one thread; endpoint() may be called from any. Construction throws std::system_error when it
/// cannot listen, and std::invalid_argument when an option is out of bounds. Its connections and
/// threads are not those of the server, and do not show in its figures: it keeps 32 connections at
/// most, and lets the longest idle go for a new one.
class admin {
 public:
  explicit admin(server& observed, admin_options options = {});
  ~admin();
  admin(const admin&) = delete;
  admin& operator=(const admin&) = delete;

  /// Where it listens: what was bound for port 0.
  const dwell::endpoint& endpoint() const noexcept;

 private:
  std::unique_ptr<admin_core> core_;
};

}  // namespace dwell::inline v0
