#include "wire.hpp"

#include <netpacket/packet.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace {

/// Used up only where something is wrong.
constexpr std::chrono::seconds patience{20};

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

/// Sees what comes in through a device of the calling thread's network, whoever it is for.
int open_packet_socket(const char* device) {
  const int made = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
  if (made < 0) fail("packet socket");
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_IP);
  where.sll_ifindex = static_cast<int>(::if_nametoindex(device));
  if (::bind(made, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) fail(device);
  return made;
}

}  // namespace

wire::wire(const networks& joined) {
  joined.wire.enter();
  client_ = open_packet_socket(networks::client_device);
  server_ = open_packet_socket(networks::server_device);
  joined.server.enter();
}

wire::~wire() {
  ::close(client_);
  ::close(server_);
}

void wire::carry(std::uint16_t client_port, std::uint16_t server_port) {
  held_.clear();
  delivered_.clear();
  client_port_ = client_port;
  server_port_ = server_port;
}

bool wire::carries(const segment& one) const noexcept {
  const bool up = one.from() == side::client;
  return one.source_port() == (up ? client_port_ : server_port_) &&
         one.destination_port() == (up ? server_port_ : client_port_);
}

void wire::receive(side from, int descriptor) {
  std::array<std::uint8_t, 2048> buffer{};
  ssize_t size = 0;
  while ((size = ::recv(descriptor, buffer.data(), buffer.size(), 0)) > 0) {
    const auto one = segment::parse(from, {buffer.data(), buffer.data() + size});
    const auto repeated = [&](const segment& earlier) { return one->repeats(earlier); };
    if (!one || !carries(*one) || std::ranges::any_of(held_, repeated) ||
        std::ranges::any_of(delivered_, repeated)) {
      continue;
    }
    held_.push_back(*one);
  }
}

std::vector<segment>::iterator wire::find(side from, std::string_view flags) {
  return std::ranges::find_if(
      held_, [&](const segment& one) { return one.from() == from && one.flags() == flags; });
}

void wire::await(side from, std::string_view flags) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (find(from, flags) == held_.end()) {
    std::array<pollfd, 2> both{{{.fd = client_, .events = POLLIN, .revents = 0},
                                {.fd = server_, .events = POLLIN, .revents = 0}}};
    ::poll(both.data(), both.size(), 100);
    receive(side::client, client_);
    receive(side::server, server_);
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error{"the " + std::string{to_string(from)} + " sent no " +
                               std::string{flags}};
    }
  }
}

void wire::deliver(side from, std::string_view flags) {
  await(from, flags);
  const auto one = find(from, flags);
  const std::vector<std::uint8_t>& frame = one->frame();
  if (::send(from == side::client ? server_ : client_, frame.data(), frame.size(), 0) < 0) {
    fail("a segment could not be delivered");
  }
  delivered_.push_back(*one);
  held_.erase(one);
}
