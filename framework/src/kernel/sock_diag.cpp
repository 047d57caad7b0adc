#include "kernel/sock_diag.hpp"

#include <libmnl/libmnl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <system_error>

namespace dwell::inline v0 {
namespace {

/// Linux numbers its states otherwise; those above TCP_CLOSING are not in <netinet/tcp.h>.
constexpr std::uint8_t new_syn_recv = 12;
constexpr std::uint8_t bound_inactive = 13;
/// The kernel fills as much as it is given, up to 32 KiB.
constexpr std::size_t buffer_size = 32 * 1024;

struct numbered_state {
  std::uint8_t number;
  tcp_state state;
};
constexpr std::array<numbered_state, 13> numbered_states{{
    {TCP_LISTEN, tcp_state::listen},
    {TCP_SYN_SENT, tcp_state::syn_sent},
    {TCP_SYN_RECV, tcp_state::syn_received},
    {new_syn_recv, tcp_state::syn_received},
    {TCP_ESTABLISHED, tcp_state::established},
    {TCP_FIN_WAIT1, tcp_state::fin_wait_1},
    {TCP_FIN_WAIT2, tcp_state::fin_wait_2},
    {TCP_CLOSE_WAIT, tcp_state::close_wait},
    {TCP_CLOSING, tcp_state::closing},
    {TCP_LAST_ACK, tcp_state::last_ack},
    {TCP_TIME_WAIT, tcp_state::time_wait},
    {TCP_CLOSE, tcp_state::closed},
    {bound_inactive, tcp_state::closed},
}};

constexpr auto states_by_number = [] {
  std::array<tcp_state, 16> table{};
  table.fill(tcp_state::closed);
  for (const numbered_state& each : numbered_states) table[each.number] = each.state;
  return table;
}();

/// The bits of idiag_states. Sockets in CLOSED are in a table of their own, by port, along with all
/// others of that port.
std::uint32_t mask_of(const std::vector<tcp_state>& states) {
  std::uint32_t mask = 0;
  for (const numbered_state& each : numbered_states) {
    const bool wanted = states.empty() ? each.state != tcp_state::closed
                                       : std::ranges::find(states, each.state) != states.end();
    if (wanted) mask |= std::uint32_t{1} << each.number;
  }
  return mask;
}

socket_timer timer_from(std::uint8_t number) noexcept {
  switch (number) {
    case 1: return socket_timer::retransmit;
    case 2: return socket_timer::keepalive;
    case 3: return socket_timer::time_wait;
    case 4: return socket_timer::zero_window;
    default: return socket_timer::none;
  }
}

socket_end end_from(std::uint8_t family, const std::uint32_t (&address)[4], std::uint16_t port) {
  socket_end end;
  end.is_v6 = family == AF_INET6;
  end.port = ntohs(port);
  std::memcpy(end.address.data(), address, end.is_v6 ? 16 : 4);
  return end;
}

/// TCP counts a FIN as a byte: the peer's until its end is read, ours until it is acknowledged.
void take_fins_off(tcp_socket& socket) {
  const tcp_state in = socket.state;
  const bool both = in == tcp_state::closing || in == tcp_state::last_ack;
  const bool theirs = both || in == tcp_state::close_wait;
  const bool ours = both || in == tcp_state::fin_wait_1;
  if (theirs && socket.receive_queue > 0) --socket.receive_queue;
  if (ours && socket.send_queue > 0) --socket.send_queue;
}

tcp_socket socket_from(const inet_diag_msg& raw) {
  tcp_socket socket;
  socket.state = states_by_number[raw.idiag_state & 15U];
  socket.local = end_from(raw.idiag_family, raw.id.idiag_src, raw.id.idiag_sport);
  socket.remote = end_from(raw.idiag_family, raw.id.idiag_dst, raw.id.idiag_dport);
  socket.receive_queue = raw.idiag_rqueue;
  socket.send_queue = raw.idiag_wqueue;
  socket.timer = timer_from(raw.idiag_timer);
  socket.remaining = std::chrono::milliseconds{raw.idiag_expires};
  socket.user = raw.idiag_uid;
  socket.inode = raw.idiag_inode;
  take_fins_off(socket);
  return socket;
}

/// A filter that the kernel runs on each socket: jumps in bytes, "yes" to the next instruction. The
/// end means taken, four bytes beyond it passed over.
using filter = std::array<inet_diag_bc_op, 9>;

constexpr filter either_port_is(std::uint16_t port) {
  return {{{INET_DIAG_BC_S_GE, 8, 20},  // no: on to the remote port
           {0, 0, port},
           {INET_DIAG_BC_S_LE, 8, 12},
           {0, 0, port},
           {INET_DIAG_BC_JMP, 4, 20},  // taken
           {INET_DIAG_BC_D_GE, 8, 20},
           {0, 0, port},
           {INET_DIAG_BC_D_LE, 8, 12},
           {0, 0, port}}};
}

/// What a visitor threw must not pass through libmnl, which is C.
struct visiting {
  const std::function<void(const tcp_socket&)>& visit;
  std::exception_ptr failure;
};

int on_message(const nlmsghdr* header, void* data) {
  auto& state = *static_cast<visiting*>(data);
  if (mnl_nlmsg_get_payload_len(header) < sizeof(inet_diag_msg)) return MNL_CB_OK;
  const auto* const raw = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(header));
  if (state.failure) return MNL_CB_OK;  // the rest of the answer has to be taken all the same
  try {
    state.visit(socket_from(*raw));
  } catch (...) {
    state.failure = std::current_exception();
  }
  return MNL_CB_OK;
}

[[noreturn]] void fail(const char* what) {
  const int error = errno;
  std::string text{what};
  if (error == ENOENT || error == EPROTONOSUPPORT || error == EAFNOSUPPORT) {
    text +=
        ": this kernel has no socket diagnostics for TCP (CONFIG_INET_DIAG and "
        "CONFIG_INET_TCP_DIAG, module tcp_diag)";
  } else if (error == EPERM || error == EACCES) {
    text +=
        ": netlink sockets are not allowed here; a container's seccomp profile or a security "
        "module has to admit NETLINK_SOCK_DIAG";
  }
  throw std::system_error{error, std::generic_category(), text};
}

}  // namespace

void sock_diag::closer::operator()(mnl_socket* open) const noexcept { mnl_socket_close(open); }

sock_diag::sock_diag()
    : socket_{mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC)}, buffer_(buffer_size) {
  if (!socket_) fail("opening a NETLINK_SOCK_DIAG socket");
  if (mnl_socket_bind(socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0) {
    fail("binding a NETLINK_SOCK_DIAG socket");
  }
}

/// The first form of the request, of 2002, since it alone dumps IPv4 and IPv6 in one walk over all
/// sockets; the newer one (SOCK_DIAG_BY_FAMILY) takes two, twice as long.
void sock_diag::each(const socket_query& which,
                     const std::function<void(const tcp_socket&)>& visit) {
  const std::uint32_t sequence = ++sequence_;
  nlmsghdr* const header = mnl_nlmsg_put_header(buffer_.data());
  header->nlmsg_type = TCPDIAG_GETSOCK;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header->nlmsg_seq = sequence;
  auto* const request =
      static_cast<inet_diag_req*>(mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req)));
  request->idiag_states = mask_of(which.states);
  if (which.end == port_of::local_end) request->id.idiag_sport = htons(which.port);
  if (which.end == port_of::remote_end) request->id.idiag_dport = htons(which.port);
  if (which.end == port_of::either_end && which.port != 0) {
    const filter program = either_port_is(which.port);
    mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, sizeof program, program.data());
  }
  if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) fail("asking for sockets");

  visiting state{visit, nullptr};
  const unsigned port = mnl_socket_get_portid(socket_.get());
  int more = MNL_CB_OK;
  while (more > MNL_CB_STOP) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
    if (size < 0) {
      if (errno == EINTR) continue;
      fail("reading sockets from the kernel");
    }
    more = mnl_cb_run(buffer_.data(), static_cast<std::size_t>(size), sequence, port, on_message,
                      &state);
  }
  if (more < 0) fail("reading sockets from the kernel");
  if (state.failure) std::rethrow_exception(state.failure);
}

}  // namespace dwell::inline v0
