#pragma once

#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/socket_options.hpp>

#include "net/socket_address.hpp"

#include <optional>

namespace dwell::inline v0 {

/// What an outgoing socket is made with; refers to what its owner keeps.
struct outgoing_options {
  const socket_options* socket = nullptr;
  /// TCP_USER_TIMEOUT; `off`: the kernel's own patience.
  duration user_timeout = off;
  /// TCP_SYNCNT; nullopt: net.ipv4.tcp_syn_retries.
  std::optional<int> syn_retries;
  /// The local address, without a port; null: the kernel chooses.
  const raw_address* source = nullptr;
};

/// How connect(2) began. `descriptor` is -1 after an error, and connecting or connected otherwise.
struct outgoing_socket {
  int descriptor = -1;
  int error = 0;           ///< errno
  bool at_source = false;  ///< bind(2) failed: no interface has the address
};

/// A non-blocking socket on its way to `to`. A bound one gets its port in connect(2)
/// (IP_BIND_ADDRESS_NO_PORT), so that each destination has the whole port range.
outgoing_socket begin_connect(const raw_address& to, const outgoing_options& how) noexcept;

/// How the way to `to` ended, once there is an event for the socket: 0, or an errno value.
/// `in_error`: the event had EPOLLERR or EPOLLHUP; without them the socket is connected (tcp_poll()
/// of the kernel). One that has connected to itself (a simultaneous open with its own port, on a
/// local address that nobody listens on) was refused.
int end_connect(int descriptor, const raw_address& to, bool in_error) noexcept;

}  // namespace dwell::inline v0
