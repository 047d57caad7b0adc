#include "observers.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>

std::optional<dwell::tcp_state> ask_tcp_info(int descriptor) {
  using dwell::tcp_state;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (descriptor < 0 || ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return std::nullopt;
  }
  switch (info.tcpi_state) {
    case TCP_LISTEN: return tcp_state::listen;
    case TCP_SYN_SENT: return tcp_state::syn_sent;
    case TCP_SYN_RECV: return tcp_state::syn_received;
    case TCP_ESTABLISHED: return tcp_state::established;
    case TCP_FIN_WAIT1: return tcp_state::fin_wait_1;
    case TCP_FIN_WAIT2: return tcp_state::fin_wait_2;
    case TCP_CLOSE_WAIT: return tcp_state::close_wait;
    case TCP_CLOSING: return tcp_state::closing;
    case TCP_LAST_ACK: return tcp_state::last_ack;
    case TCP_TIME_WAIT: return tcp_state::time_wait;
    default: return tcp_state::closed;
  }
}

int descriptor_of(std::uint32_t inode) {
  if (inode == 0) return -1;
  const std::string wanted = "socket:[" + std::to_string(inode) + ']';
  std::error_code gone;  // descriptors come and go while we look
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", gone}) {
    if (std::filesystem::read_symlink(entry.path(), gone) != wanted) continue;
    const std::string name = entry.path().filename().string();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    return number;
  }
  return -1;
}

sock_diag::sock_diag(const network& where, const network& back) {
  where.enter();
  view_.emplace();
  back.enter();
}

std::optional<dwell::tcp_socket> sock_diag::ask(const observed_end& end) {
  std::optional<dwell::tcp_socket> found;
  const auto look = [&](const dwell::tcp_socket& one) {
    const bool same_remote = one.remote.port == end.remote.port &&
                             (end.remote.port == 0 || one.remote.to_endpoint() == end.remote);
    if (one.state != dwell::tcp_state::listen && same_remote &&
        one.local.to_endpoint() == end.local) {
      found = one;
    }
  };
  const auto port = end.local.port;
  view_->each({.port = port, .end = dwell::port_of::local_end}, look);
  if (found) return found;
  // A bound socket that is not connected is in a table of its own.
  view_->each(
      {.port = port, .end = dwell::port_of::local_end, .states = {dwell::tcp_state::closed}},
      [&](const dwell::tcp_socket& one) {
        if (one.local.to_endpoint() == end.local) found = one;
      });
  return found;
}

std::optional<dwell::tcp_socket> sock_diag::ask_listener(const observed_end& end) {
  std::optional<dwell::tcp_socket> found;
  view_->each({.port = end.local.port,
               .end = dwell::port_of::local_end,
               .states = {dwell::tcp_state::listen}},
              [&](const dwell::tcp_socket& one) { found = one; });
  return found;
}
