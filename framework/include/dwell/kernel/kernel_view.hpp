#pragma once

#include <dwell/kernel/tcp_state.hpp>
#include <dwell/net/endpoint.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwell::inline v0 {

/// One end of a connection as the kernel says it, without an allocation.
struct socket_end {
  std::array<std::uint8_t, 16> address{};  ///< network order; IPv4 in the first four
  std::uint16_t port = 0;
  bool is_v6 = false;

  /// An IPv4-mapped IPv6 address becomes an IPv4 one.
  endpoint to_endpoint() const;
};

/// What the kernel's timer of a socket is running for (inet_diag: idiag_timer).
enum class socket_timer : std::uint8_t { none, retransmit, keepalive, time_wait, zero_window };

/// "none", "retransmit", …. A constant.
std::string_view to_string(socket_timer timer) noexcept;

/// One TCP socket. A value.
struct tcp_socket {
  tcp_state state = tcp_state::closed;
  socket_end local;
  socket_end remote;
  /// LISTEN: connections that wait for accept(). CLOSED, TIME_WAIT: 0. Else bytes not read, a
  /// FIN not counted.
  std::uint32_t receive_queue = 0;
  /// LISTEN: how many may wait. CLOSED, TIME_WAIT: 0. Else bytes not
  /// acknowledged, or not sent, a FIN not counted.
  std::uint32_t send_queue = 0;
  socket_timer timer = socket_timer::none;
  /// Until the timer expires. In TIME_WAIT: until the socket is gone, of 60 s.
  std::chrono::milliseconds remaining{};
  std::uint32_t user = 0;
  /// 0: no descriptor refers to it.
  std::uint32_t inode = 0;

  /// The application has closed it, and the kernel sees to its end. TIME_WAIT is not counted.
  bool is_orphan() const noexcept;
  /// Complete, and waiting for accept().
  bool waits_for_accept() const noexcept;
};

/// The accept queue of one listening socket; SO_REUSEPORT makes several of a port.
struct listener_view {
  endpoint where;
  std::uint32_t queued = 0;  ///< connections that wait for accept()
  std::uint32_t limit = 0;   ///< the smaller of listen()'s backlog and net.core.somaxconn
  std::uint32_t user = 0;
  std::uint32_t inode = 0;
};

/// All sockets of a port, IPv4 and IPv6 together.
struct port_view {
  tcp_state_counts local;   ///< the port is this end's: a server's side
  tcp_state_counts remote;  ///< the port is the other end's: a client's side, here
  tcp_state_counts held;    ///< of `local`: those to which a descriptor refers
  std::vector<listener_view> listeners;
  std::uint64_t orphans = 0;         ///< of `local`
  std::uint64_t waiting_accept = 0;  ///< of `local`
  std::uint64_t unread = 0;          ///< bytes in receive queues of `local`
  std::uint64_t unacknowledged = 0;  ///< bytes in send queues of `local`
  /// The TIME_WAIT that ends next, and the one that ends last; on either side.
  std::optional<tcp_socket> oldest_time_wait;
  std::optional<tcp_socket> newest_time_wait;
};

/// /proc/net/sockstat and sockstat6.
struct socket_usage {
  std::uint64_t in_use = 0;     ///< TCP sockets of this network namespace, IPv4 and IPv6
  std::uint64_t time_wait = 0;  ///< of this namespace; includes orphans in FIN_WAIT_2
  std::uint64_t orphans = 0;    ///< of the whole machine, as are the next two
  std::uint64_t allocated = 0;
  std::uint64_t memory_pages = 0;  ///< what net.ipv4.tcp_mem bounds
};

/// One line of /proc/net/netstat or /proc/net/snmp.
struct network_counter {
  std::string name;  ///< "TcpExt.ListenOverflows", as nstat(8) without the dot
  std::int64_t value = 0;
};

/// All counters of a network namespace since it was made.
class network_counters {
 public:
  explicit network_counters(std::vector<network_counter> sorted) noexcept
      : sorted_{std::move(sorted)} {}
  /// nullopt when this kernel has no counter of that name.
  std::optional<std::int64_t> find(std::string_view name) const noexcept;
  const std::vector<network_counter>& all() const noexcept { return sorted_; }

  /// Those that say how connections ended, or never began: the accept queue, TIME_WAIT, resets
  /// (TCPAbortOn*), orphans.
  static const std::vector<std::string_view>& about_connections();

 private:
  std::vector<network_counter> sorted_;
};

/// Whose port a socket_query names.
enum class port_of : std::uint8_t { either_end, local_end, remote_end };

/// Which sockets to look at; an empty one is all.
struct socket_query {
  std::uint16_t port = 0;  ///< 0: any
  port_of end = port_of::either_end;
  /// Empty: all but CLOSED, which the kernel has to look for in a second table.
  std::vector<tcp_state> states{};
};

/// What the kernel knows about TCP in one network namespace: that of the thread which made the
/// view. Needs no privilege. One thread at a time; blocks for as long as the kernel takes, so for
/// queries by port not a loop's thread (15,000 sockets: some 10 ms). Throws std::system_error that
/// names what is missing.
class kernel_view {
 public:
  kernel_view();
  kernel_view(const kernel_view&) = delete;
  kernel_view(kernel_view&&) noexcept;
  kernel_view& operator=(const kernel_view&) = delete;
  kernel_view& operator=(kernel_view&&) noexcept;
  ~kernel_view();

  /// Cheap enough for every scrape: some 0.1 ms, whatever the number of sockets.
  socket_usage usage();
  network_counters counters();
  /// The kernel walks all sockets of its table for this. 0: all ports, each socket counted as
  /// `local`. With `end`, what that leaves out is not counted: the other ends of connections within
  /// this machine cost as much again.
  port_view port(std::uint16_t port, port_of end = port_of::either_end);
  /// Each socket that fits, in no order. The reference is valid until `visit` returns. A
  /// socket that moves meanwhile may be missed, or seen twice.
  void each(const socket_query& which, const std::function<void(const tcp_socket&)>& visit);
  std::vector<tcp_socket> sockets(const socket_query& which);

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace dwell::inline v0
