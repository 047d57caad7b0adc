#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace dwell::inline v0 {

/// Probes on a silent connection (SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; tcp(7)).
/// idle + interval × count above the user timeout is refused: the user timeout replaces the count.
struct keepalive_options {
  std::chrono::seconds idle{60};      ///< 1 to 32,767; silence before the first probe
  std::chrono::seconds interval{10};  ///< 1 to 32,767; between probes
  int count = 3;                      ///< 1 to 127; unanswered probes that end the connection

  friend bool operator==(const keepalive_options&, const keepalive_options&) = default;
};

/// Options of a service's sockets. Set on the listener once; Linux hands them down to accepted
/// sockets, so they cost nothing per connection. An option the kernel refuses fails serve() with a
/// std::system_error that names the option and its value.
struct socket_options {
  /// TCP_NODELAY. On, because Dwell gathers a turn's output itself and Nagle's delay would only add
  /// latency.
  bool nodelay = true;
  /// TCP_USER_TIMEOUT: how long sent data may stay unacknowledged before the kernel gives up.
  /// nullopt: a quarter more than the larger of deadlines.write and deadlines.close, so that a
  /// deadline comes first, and the kernel's patience bounds only what has no descriptor any more.
  /// It also kills a living peer with a closed window (RFC 5482).
  std::optional<duration> user_timeout;
  /// nullopt: off; deadlines.idle already ends a silent connection. Use it where `idle` is off.
  std::optional<keepalive_options> keepalive;
  /// TCP_LINGER2: how long an orphan may stay in FIN_WAIT2. 1 to 60 s (61 to 120 live 2 × (n − 60)
  /// s, a kernel quirk, and are refused). nullopt: net.ipv4.tcp_fin_timeout. Does not shorten
  /// TIME_WAIT.
  std::optional<std::chrono::seconds> linger2;
  /// TCP_DEFER_ACCEPT: the kernel keeps a connection to itself until bytes arrive, or about this
  /// long. 1 s to 1 h. nullopt: off; the handshake deadline does not see such a connection.
  std::optional<std::chrono::seconds> defer_accept;
  /// TCP_NOTSENT_LOWAT in bytes, at least 1: less unsent data in the kernel, more wake-ups.
  /// nullopt: the kernel's default.
  std::optional<std::uint32_t> notsent_lowat;
  /// SO_REUSEADDR. On, so that a restart binds over connections in TIME_WAIT.
  bool reuse_address = true;
  /// SO_REUSEPORT: one listener per loop, and the kernel spreads connections by hash. Off: loop 0
  /// accepts and deals round robin. Another process is not let in either way: the first listener
  /// binds without it. Loops with descriptor tables of their own accept in turn from one listener,
  /// on or off.
  bool reuse_port = true;
  /// Length of the accept queue, 1 to 65,535; the kernel cuts it to net.core.somaxconn (listen(2)).
  int backlog = 4096;
  /// SO_RCVBUF in bytes, 4,096 to 1 GiB. nullopt: the kernel tunes it, which is nearly always
  /// better.
  std::optional<int> receive_buffer;
  /// SO_SNDBUF in bytes, 4,096 to 1 GiB. nullopt: as above.
  std::optional<int> send_buffer;
  /// IPV6_V6ONLY, always set, never inherited from net.ipv6.bindv6only. Off: an IPv6 wildcard
  /// listener takes IPv4 too.
  bool v6only = false;

  friend bool operator==(const socket_options&, const socket_options&) = default;
};

}  // namespace dwell::inline v0
