#include <dwell/kernel/kernel_view.hpp>

#include "kernel/proc_file.hpp"
#include "kernel/proc_text.hpp"
#include "kernel/sock_diag.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Of the calling thread's network namespace; /proc/net is that of the process.
std::string net_file(const char* name) { return std::string{"/proc/thread-self/net/"} + name; }

std::optional<proc_file> sockstat6() {
  std::string path = net_file("sockstat6");
  if (::access(path.c_str(), R_OK) != 0) return std::nullopt;  // a kernel without IPv6
  return proc_file{std::move(path)};
}

void count_local(const tcp_socket& socket, port_view& view) {
  view.local.add(socket.state);
  if (socket.inode != 0) view.held.add(socket.state);
  if (socket.state == tcp_state::listen) {
    view.listeners.push_back({.where = socket.local.to_endpoint(),
                              .queued = socket.receive_queue,
                              .limit = socket.send_queue,
                              .user = socket.user,
                              .inode = socket.inode});
    return;
  }
  view.orphans += socket.is_orphan() ? 1U : 0U;
  view.waiting_accept += socket.waits_for_accept() ? 1U : 0U;
  view.unread += socket.receive_queue;
  view.unacknowledged += socket.send_queue;
}

void note_time_wait(const tcp_socket& socket, port_view& view) {
  if (socket.state != tcp_state::time_wait) return;
  std::optional<tcp_socket>& oldest = view.oldest_time_wait;
  std::optional<tcp_socket>& newest = view.newest_time_wait;
  if (!oldest || socket.remaining < oldest->remaining) oldest = socket;
  if (!newest || socket.remaining > newest->remaining) newest = socket;
}

}  // namespace

endpoint socket_end::to_endpoint() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool mapped = is_v6 && std::ranges::equal(v4_mapped, std::span{address}.first<12>());
  const bool as_v6 = is_v6 && !mapped;
  ::inet_ntop(as_v6 ? AF_INET6 : AF_INET, address.data() + (mapped ? 12 : 0), text.data(),
              static_cast<socklen_t>(text.size()));
  return {.address = text.data(), .port = port};
}

std::string_view to_string(socket_timer timer) noexcept {
  constexpr std::array<std::string_view, 5> names{"none", "retransmit", "keepalive", "time_wait",
                                                  "zero_window"};
  return names[static_cast<std::size_t>(timer)];
}

bool tcp_socket::is_orphan() const noexcept {
  return inode == 0 && (state == tcp_state::fin_wait_1 || state == tcp_state::fin_wait_2 ||
                        state == tcp_state::closing || state == tcp_state::last_ack);
}

bool tcp_socket::waits_for_accept() const noexcept {
  return inode == 0 && (state == tcp_state::established || state == tcp_state::close_wait);
}

std::optional<std::int64_t> network_counters::find(std::string_view name) const noexcept {
  const auto found = std::ranges::lower_bound(sorted_, name, {}, &network_counter::name);
  if (found == sorted_.end() || found->name != name) return std::nullopt;
  return found->value;
}

const std::vector<std::string_view>& network_counters::about_connections() {
  static const std::vector<std::string_view> names{"TcpExt.ListenOverflows",
                                                   "TcpExt.ListenDrops",
                                                   "TcpExt.TCPReqQFullDrop",
                                                   "TcpExt.TCPReqQFullDoCookies",
                                                   "TcpExt.SyncookiesSent",
                                                   "TcpExt.SyncookiesFailed",
                                                   "TcpExt.TW",
                                                   "TcpExt.TWRecycled",
                                                   "TcpExt.TCPTimeWaitOverflow",
                                                   "TcpExt.TCPAbortOnData",
                                                   "TcpExt.TCPAbortOnClose",
                                                   "TcpExt.TCPAbortOnMemory",
                                                   "TcpExt.TCPAbortOnTimeout",
                                                   "TcpExt.TCPAbortOnLinger",
                                                   "TcpExt.TCPAbortFailed",
                                                   "TcpExt.TCPMemoryPressures",
                                                   "TcpExt.TCPDeferAcceptDrop",
                                                   "TcpExt.TCPMigrateReqFailure",
                                                   "Tcp.ActiveOpens",
                                                   "Tcp.PassiveOpens",
                                                   "Tcp.AttemptFails",
                                                   "Tcp.EstabResets",
                                                   "Tcp.CurrEstab",
                                                   "Tcp.OutRsts",
                                                   "Tcp.RetransSegs"};
  return names;
}

class kernel_view::state {
 public:
  proc_file sockstat{net_file("sockstat")};
  std::optional<proc_file> sockstat6{v0::sockstat6()};
  proc_file netstat{net_file("netstat")};
  proc_file snmp{net_file("snmp")};
  sock_diag diag;
};

kernel_view::kernel_view() : state_{std::make_unique<state>()} {}
kernel_view::kernel_view(kernel_view&&) noexcept = default;
kernel_view& kernel_view::operator=(kernel_view&&) noexcept = default;
kernel_view::~kernel_view() = default;

socket_usage kernel_view::usage() {
  socket_usage usage;
  add_sockstat(state_->sockstat.read(), usage);
  if (state_->sockstat6) add_sockstat(state_->sockstat6->read(), usage);
  return usage;
}

network_counters kernel_view::counters() {
  std::vector<network_counter> counters;
  add_counters(state_->netstat.read(), counters);
  add_counters(state_->snmp.read(), counters);
  std::ranges::sort(counters, {}, &network_counter::name);
  return network_counters{std::move(counters)};
}

port_view kernel_view::port(std::uint16_t port, port_of end) {
  port_view view;
  each({.port = port, .end = end}, [&](const tcp_socket& socket) {
    if (port == 0 || socket.local.port == port) count_local(socket, view);
    if (port != 0 && socket.remote.port == port) view.remote.add(socket.state);
    note_time_wait(socket, view);
  });
  return view;
}

void kernel_view::each(const socket_query& which,
                       const std::function<void(const tcp_socket&)>& visit) {
  state_->diag.each(which, visit);
}

std::vector<tcp_socket> kernel_view::sockets(const socket_query& which) {
  std::vector<tcp_socket> found;
  each(which, [&](const tcp_socket& socket) { found.push_back(socket); });
  return found;
}

}  // namespace dwell::inline v0
