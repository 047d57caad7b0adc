#pragma once

#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/socket_options.hpp>

namespace dwell::inline v0 {

// What a connection's socket has: set on a listener, which hands it down, or on an outgoing socket.
// Each throws std::system_error that names the option and its value.

void set_socket_option(int descriptor, int level, int option, const char* name, int value);
void set_tcp_option(int descriptor, int option, const char* name, int value);

/// SO_RCVBUF and SO_SNDBUF. Before listen() or connect(): they decide the window scale (tcp(7)).
void set_buffers(int descriptor, const socket_options& socket);
/// TCP_NODELAY, keepalive, TCP_USER_TIMEOUT unless `user_timeout` is off, TCP_LINGER2,
/// TCP_NOTSENT_LOWAT.
void set_tcp_options(int descriptor, const socket_options& socket, duration user_timeout);

}  // namespace dwell::inline v0
