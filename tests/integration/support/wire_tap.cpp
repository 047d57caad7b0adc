#include "support/wire_tap.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dwell {
namespace {

constexpr int queue_bytes = 256 << 20;

void check(int result, const char* what) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), what};
}

std::string to_text(in_addr_t address) {
  std::array<char, INET_ADDRSTRLEN> text;
  return ::inet_ntop(AF_INET, &address, text.data(), text.size());
}

/// Only segments with FIN, RST or PSH, which the last of each send has; and only their headers.
void filter(int descriptor) {
  constexpr std::uint32_t tcp_flags = 20 + 13;
  constexpr std::uint32_t wanted = TH_FIN | TH_RST | TH_PUSH;
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, tcp_flags),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, wanted, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 80),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog all{.len = program.size(), .filter = program.data()};
  check(::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all),
        "SO_ATTACH_FILTER");
}

}  // namespace

wire_tap::wire_tap(std::uint16_t server_port)
    : descriptor_{::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}, server_port_{server_port} {
  check(descriptor_, "a packet socket");
  filter(descriptor_);
  check(::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof queue_bytes),
        "SO_RCVBUFFORCE");
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ALL);  // what leaves is shown to nobody who asks for less
  where.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
  check(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&where), sizeof where), "bind to lo");
  thread_ = std::thread{[this] { run(); }};
}

wire_tap::~wire_tap() {
  over_ = true;
  if (thread_.joinable()) thread_.join();
  ::close(descriptor_);
}

const std::unordered_map<std::string, wire_order>& wire_tap::stop() {
  over_ = true;
  thread_.join();
  tpacket_stats counts{};
  socklen_t length = sizeof counts;
  check(::getsockopt(descriptor_, SOL_PACKET, PACKET_STATISTICS, &counts, &length),
        "PACKET_STATISTICS");
  EXPECT_EQ(counts.tp_drops, 0U) << "packets were missed";
  return connections_;
}

void wire_tap::run() {
  pollfd watched{.fd = descriptor_, .events = POLLIN, .revents = 0};
  while (true) {
    const bool last = over_;
    while (take_one()) {
    }
    if (last) return;
    ::poll(&watched, 1, 20);
  }
}

bool wire_tap::take_one() {
  std::array<std::byte, 80> packet;
  sockaddr_ll from{};
  socklen_t length = sizeof from;
  const ssize_t count = ::recvfrom(descriptor_, packet.data(), packet.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &length);
  if (count < 0) return false;
  if (static_cast<std::size_t>(count) < sizeof(iphdr) + sizeof(tcphdr)) return true;
  iphdr ip;
  tcphdr tcp;
  std::memcpy(&ip, packet.data(), sizeof ip);
  std::memcpy(&tcp, packet.data() + sizeof ip, sizeof tcp);
  if (ip.version != 4 || ip.ihl != 5 || ip.protocol != IPPROTO_TCP) return true;
  ++seen_;
  // Loopback shows each packet twice: as it leaves, and as it arrives.
  const bool leaves = from.sll_pkttype == PACKET_OUTGOING;
  if (leaves && ntohs(tcp.source) == server_port_) {
    wire_order& order = connections_[to_text(ip.daddr)];
    if (tcp.fin != 0 && order.first_fin == 0) order.first_fin = seen_;
    if (tcp.rst != 0 && order.first_reset == 0) order.first_reset = seen_;
  } else if (!leaves && ntohs(tcp.dest) == server_port_) {
    const int payload = ntohs(ip.tot_len) - 4 * ip.ihl - 4 * tcp.doff;
    if (payload > 0) connections_[to_text(ip.saddr)].last_data_in = seen_;
  }
  return true;
}

}  // namespace dwell
