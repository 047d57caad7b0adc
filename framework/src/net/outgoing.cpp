#include "net/outgoing.hpp"

#include "net/connection_options.hpp"
#include "net/raw_calls.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

/// Ports below are not given to outgoing sockets (net.ipv4.ip_local_port_range starts here or
/// above), so nobody connects to itself there.
constexpr std::uint16_t first_local_port = 1'024;

int set_options(int descriptor, int family, const outgoing_options& how) noexcept {
  try {
    set_buffers(descriptor, *how.socket);
    if (family == AF_UNIX) return 0;
    set_tcp_options(descriptor, *how.socket, how.user_timeout);
    if (how.syn_retries) set_tcp_option(descriptor, TCP_SYNCNT, "TCP_SYNCNT", *how.syn_retries);
    return 0;
  } catch (const std::system_error& failure) {
    return failure.code().value();
  }
}

int bind_source(int descriptor, const raw_address& source) noexcept {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  return ::bind(descriptor, source.get(), source.length) == 0 ? 0 : errno;
}

std::uint16_t port_of(const raw_address& where) noexcept {
  if (where.family() == AF_UNIX) return 0;
  std::uint16_t port = 0;  // at the same place for both families
  std::memcpy(&port,
              reinterpret_cast<const char*>(&where.storage) + offsetof(sockaddr_in, sin_port),
              sizeof port);
  return ntohs(port);
}

/// Its local address is where it went to.
bool is_connected_to_itself(int descriptor, const raw_address& to) noexcept {
  if (port_of(to) < first_local_port) return false;
  raw_address local;
  local.length = sizeof local.storage;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0) {
    return false;
  }
  return port_of(local) == port_of(to) &&
         to_endpoint(local.storage, local.length) == to_endpoint(to.storage, to.length);
}

}  // namespace

outgoing_socket begin_connect(const raw_address& to, const outgoing_options& how) noexcept {
  const int descriptor = raw_socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return {.error = errno};
  const auto give_up = [descriptor](int error, bool at_source = false) {
    raw_close(descriptor);
    return outgoing_socket{.error = error, .at_source = at_source};
  };
  if (const int error = set_options(descriptor, to.family(), how); error != 0)
    return give_up(error);
  if (how.source != nullptr && to.family() != AF_UNIX) {
    if (const int error = bind_source(descriptor, *how.source); error != 0)
      return give_up(error, true);
  }
  // A signal does not stop the handshake (connect(2)).
  if (raw_connect(descriptor, to.get(), to.length) != 0 && errno != EINPROGRESS && errno != EINTR) {
    return give_up(errno);
  }
  return {.descriptor = descriptor};
}

int end_connect(int descriptor, const raw_address& to, bool in_error) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (in_error && ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
    return errno;
  if (error != 0) return error;
  return is_connected_to_itself(descriptor, to) ? ECONNREFUSED : 0;
}

}  // namespace dwell::inline v0
