#pragma once

#include <dwell/client/client.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/server/options.hpp>
#include <dwell/server/server.hpp>
#include <dwell/testing/peer.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace dwell::testing {

/// What goes wrong on the simulated network. Probabilities are 0 to 1, drawn from the seed.
struct faults {
  duration delay{0};        ///< one way
  duration jitter{0};       ///< up to this much more, for each segment; segments stay in order
  double loss = 0;          ///< of a segment: it arrives after a retransmission, unless its sender
                            ///< resets the connection first; of a reset: never
  double short_reads = 0;   ///< of a segment to be cut, and of a recv to return less than there is
  double short_writes = 0;  ///< of a send to take less than there is room for
  double resets = 0;        ///< of a client to reset when it would read or send
  double accept_failures = 0;  ///< of an accept4 to fail with EMFILE
  double watch_failures = 0;   ///< of an epoll_ctl to fail with ENOSPC
  /// Of the SYN of an outbound connection, or its answer, to be lost: sent again after 1, 2, 4 … s.
  double syn_loss = 0;
  double connect_failures = 0;  ///< of a connect(2) to fail with EADDRNOTAVAIL
};

struct simulation_options {
  /// The same seed gives the same run. With odd seeds the loop's clock starts a minute before its
  /// 32 bits wrap.
  std::uint64_t seed = 0;
  testing::faults faults{};
};

/// Servers in virtual time, on a seeded network: nobody sleeps, and every run can be repeated. Time
/// passes only in advance() and run_until(); the code of a handler takes none. What happens at the
/// same millisecond happens in an order drawn from the seed.
///
/// TCP as Linux does it, as far as a server can see: buffers, windows, FIN, RST, orphans,
/// TIME_WAIT, TCP_USER_TIMEOUT, keepalive, TCP_CORK. Of socket_options, TCP_DEFER_ACCEPT,
/// TCP_NOTSENT_LOWAT, Nagle's delay and the backlog have no effect; addresses are not looked at,
/// only ports. One loop per server. A handler that awaits an Asio operation gets
/// operation_not_supported.
///
/// Outbound connections go to the servers by port; names resolve, except those below `.invalid`.
///
/// Owns its servers and clients. For one thread.
class simulation {
 public:
  explicit simulation(simulation_options options = {});
  ~simulation();
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  /// A server that listens and runs. Throws as server's constructor and serve() do. Without a
  /// logger it logs nothing.
  server& serve(service_options service, handler what, server_options process = {});
  /// One more service on it.
  endpoint serve(server& on, service_options service, handler what);

  /// A client that runs. Without a logger it logs nothing.
  dwell::client& start_client(client_options process = {});
  /// Where the server's first service listens.
  endpoint where(const server& which) const;

  /// A client of the server's first service. It may send at once; the server hears of it as time
  /// passes.
  peer connect(const server& to);
  /// Of the service at this port; refused when there is none.
  peer connect(const endpoint& to);

  /// Lets everything happen that is due until then, inclusive. Throws std::runtime_error when a
  /// loop spins.
  void advance(duration time);
  /// The same, but stops as soon as `done()` holds. False: it did not within that time.
  bool run_until(const std::function<bool()>& done, duration within);
  /// Since the start.
  duration now() const noexcept;

  /// From now on.
  void set_faults(const faults& from_now_on);
  /// The server's process is stopped (SIGSTOP, starvation) for that long; network and clients go
  /// on.
  void freeze(const server& which, duration time);
  /// How often something came for a connection or listener of the server: a loop that spins shows
  /// here.
  std::uint64_t wakeups(const server& of) const;

 private:
  class world;
  std::unique_ptr<world> world_;
};

}  // namespace dwell::testing
