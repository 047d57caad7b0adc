#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/net/proxy_protocol.hpp>
#include <dwell/net/socket_options.hpp>
#include <dwell/net/tls_options.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

class connection;

inline constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

/// How many exchanges a connection carries.
enum class connection_mode : std::uint8_t {
  long_lived,   ///< as many as limits.exchanges allows
  short_lived,  ///< exactly one; its last bytes and our FIN share a segment
};

constexpr std::string_view to_string(connection_mode mode) noexcept {
  return mode == connection_mode::long_lived ? "long" : "short";
}

/// What one connection may use.
struct limits {
  /// Bytes of input kept while a message is incomplete; at least 1. More is a protocol error.
  std::size_t message = std::size_t{64} * 1024;
  /// Bytes of output queued; at least high_watermark. More is a peer that does not read: it ends as
  /// a write timeout does.
  std::size_t output = std::size_t{1024} * 1024;
  /// Bytes of queued output above which no more input is read, so that a peer cannot ask for
  /// answers faster than it takes them.
  std::size_t high_watermark = std::size_t{64} * 1024;
  /// Bytes below which reading goes on; below high_watermark, so that the two do not flutter.
  std::size_t low_watermark = std::size_t{16} * 1024;
  /// Exchanges before the connection ends as `finished`; at least 1 (nginx keepalive_requests).
  std::uint64_t exchanges = unlimited;

  friend bool operator==(const limits&, const limits&) = default;
};

/// One service: where it listens, and how long its connections stay and how they leave.
struct service_options {
  /// Names the service in logs and metrics.
  std::string name = "default";
  /// Port 0 lets the kernel choose; serve() returns what was bound.
  endpoint listen{};
  /// Many exchanges over a connection, or one.
  connection_mode mode = connection_mode::long_lived;
  /// How long a connection stays.
  dwell::deadlines deadlines{};
  /// How it leaves.
  close_plan close{};
  /// What it may use.
  dwell::limits limits{};
  /// What is set on its socket.
  socket_options socket{};
  /// Behind proxies that say whom they speak for; nullopt: the peer is whoever has connected. The
  /// header comes first, before TLS too.
  std::optional<proxy_protocol_options> proxy_protocol{};
  /// TLS; nullopt: bytes as they come. on_open, or the coroutine, starts after the handshake.
  std::optional<tls_options> tls{};
  /// Sees the close record of every connection, whatever its handler is. Called on the connection's
  /// loop after the handler's own on_close; must not throw.
  std::function<void(const connection&, const close_record&)> on_close{};
};

/// What the clients of one address may take, over all services and loops; off by default. Behind
/// service_options::proxy_protocol it is the client's address that counts, and the proxy's does
/// not. Peers of Unix sockets are not limited.
///
/// Whoever wants more is reset, counted (`over_address_limit`) and not logged; behind a proxy it
/// ends as `overload`. Memory: 64 bytes for each address that has a connection open, and 1.5 MiB
/// with `accepts_per_second`, however many addresses there are.
struct per_address_limits {
  /// Open at the same time; at least 1. Many clients may share one address (NAT).
  std::uint64_t connections = unlimited;
  /// New ones in a second, 1 to 1,000,000; as many may come at once after a second of none. Of the
  /// last 65,536 addresses or so; whoever comes from more is a new one each time.
  std::uint64_t accepts_per_second = unlimited;
  /// Leading bits that make an IPv4 address, 1 to 32.
  unsigned ipv4_prefix = 32;
  /// The same for IPv6, 1 to 128. 64: that much one client has to itself (RFC 4291, 2.5.4).
  unsigned ipv6_prefix = 64;

  friend bool operator==(const per_address_limits&, const per_address_limits&) = default;
};

/// What to do with a new connection when `server_options::connections` are open.
enum class when_full : std::uint8_t {
  /// Close the longest idle of 64 sampled connections as `overload`, unless bytes have just come
  /// from it. When none is idle, new ones wait in the accept queue until one is, or closes.
  evict_idle,
  /// Leave new connections in the accept queue until one closes: they wait instead of failing.
  pause_accept,
  /// Accept and reset at once: the client learns immediately.
  refuse,
};

}  // namespace dwell::inline v0
