#pragma once

#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/server/options.hpp>
#include <dwell/server/server.hpp>
#include <dwell/testing/peer.hpp>

#include <functional>
#include <memory>

namespace dwell::testing {

/// The interface of simulation over real sockets on 127.0.0.1, with real servers on threads of
/// their own: for what a model of the kernel cannot show. Time is real, so keep deadlines short and
/// compare with a margin. peer::time_wait() asks the kernel (/proc/net/tcp), and peer::vanish()
/// throws.
///
/// Servers start at the first connect() or advance(); clients act only while one of these,
/// advance() or run_until() runs. Owns servers and clients. For one thread; handlers and
/// service_options::on_close run on the servers' threads.
class loopback {
 public:
  loopback();
  ~loopback();
  loopback(const loopback&) = delete;
  loopback& operator=(const loopback&) = delete;

  /// A server that listens on 127.0.0.1 unless it says otherwise. Throws as server's constructor
  /// and serve() do. Without a logger it logs nothing.
  server& serve(service_options service, handler what, server_options process = {});
  /// One more service on it, before it starts.
  endpoint serve(server& on, service_options service, handler what);

  /// A client of the server's first service. Throws std::system_error when it cannot have a socket.
  peer connect(const server& to);
  peer connect(const endpoint& to);

  void advance(duration time);
  /// False: it did not hold within that time.
  bool run_until(const std::function<bool()>& done, duration within);
  /// Since the start.
  duration now() const noexcept;

 private:
  class world;
  std::unique_ptr<world> world_;
};

}  // namespace dwell::testing
