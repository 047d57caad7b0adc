#include "net/connection_options.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <system_error>

namespace dwell::inline v0 {

void set_socket_option(int descriptor, int level, int option, const char* name, int value) {
  if (::setsockopt(descriptor, level, option, &value, sizeof value) == 0) return;
  throw std::system_error{errno, std::generic_category(),
                          std::string{name} + " = " + std::to_string(value)};
}

void set_tcp_option(int descriptor, int option, const char* name, int value) {
  set_socket_option(descriptor, IPPROTO_TCP, option, name, value);
}

void set_buffers(int descriptor, const socket_options& socket) {
  const auto set = [descriptor](int option, const char* name, int value) {
    set_socket_option(descriptor, SOL_SOCKET, option, name, value);
  };
  if (socket.receive_buffer) set(SO_RCVBUF, "SO_RCVBUF (bytes)", *socket.receive_buffer);
  if (socket.send_buffer) set(SO_SNDBUF, "SO_SNDBUF (bytes)", *socket.send_buffer);
}

void set_tcp_options(int descriptor, const socket_options& socket, duration user_timeout) {
  const auto set = [descriptor](int option, const char* name, auto value) {
    set_tcp_option(descriptor, option, name, static_cast<int>(value));
  };
  if (socket.nodelay) set(TCP_NODELAY, "TCP_NODELAY", 1);
  if (user_timeout != off) set(TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT (ms)", user_timeout.count());
  if (socket.keepalive) {
    set_socket_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE", 1);
    set(TCP_KEEPIDLE, "TCP_KEEPIDLE (s)", socket.keepalive->idle.count());
    set(TCP_KEEPINTVL, "TCP_KEEPINTVL (s)", socket.keepalive->interval.count());
    set(TCP_KEEPCNT, "TCP_KEEPCNT", socket.keepalive->count);
  }
  if (socket.linger2) set(TCP_LINGER2, "TCP_LINGER2 (s)", socket.linger2->count());
  if (socket.notsent_lowat) {
    set(TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT (bytes)", *socket.notsent_lowat);
  }
}

}  // namespace dwell::inline v0
