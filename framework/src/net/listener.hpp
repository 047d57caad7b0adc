#pragma once

#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>
#include <dwell/net/socket_options.hpp>

#include <utility>

namespace dwell::inline v0 {

/// What a listening socket is opened with; accepted sockets inherit it.
struct listener_options {
  endpoint where;
  socket_options socket;
  /// TCP_USER_TIMEOUT; `off`: the kernel's own patience.
  duration user_timeout = off;
  bool cork = false;
  bool no_time_wait = false;
  /// One of several listeners on the same port (SO_REUSEPORT). `joins`: not the first of them, so
  /// that the port may be, and must be, taken already.
  bool shared = false;
  bool joins = false;
  /// One that listens already; -1: none.
  int inherited = -1;
};

/// Checks every field of `socket`; throws std::invalid_argument naming option and value.
void validate(const socket_options& socket);

/// Where a socket listens that somebody else has opened. Throws std::system_error naming the
/// descriptor when it does not.
endpoint where_listens(int descriptor);

/// A non-blocking, close-on-exec listening socket and the endpoint it got. Throws std::system_error
/// that names the endpoint or the option with its value, and the fix where there is one.
std::pair<int, endpoint> open_listener(const listener_options& options);

}  // namespace dwell::inline v0
