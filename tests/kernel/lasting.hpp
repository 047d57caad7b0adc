#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include "support/eventually.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <linux/filter.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dwell {

/// From now on the kernel drops every segment that comes for this socket, before TCP sees it: to
/// the other end it has vanished.
inline void vanish(int descriptor) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog filter{.len = 1, .filter = &nothing};
  EXPECT_EQ(::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
}

/// In the network of the calling thread.
inline void set_sysctl(const std::string& name, int value) {
  std::ofstream file{"/proc/sys/net/ipv4/" + name};
  EXPECT_TRUE(file << value << std::flush) << name;
}

inline void set_option(int descriptor, int level, int option, int value) {
  EXPECT_EQ(::setsockopt(descriptor, level, option, &value, sizeof value), 0) << option;
}
inline void set_tcp(int descriptor, int option, int value) {
  set_option(descriptor, IPPROTO_TCP, option, value);
}

inline sockaddr_in address_of(const endpoint& where) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(where.port);
  ::inet_pton(AF_INET, where.address.c_str(), &address.sin_addr);
  return address;
}

/// A listening socket that accepts when it is told.
class listener {
 public:
  explicit listener(int backlog = 8)
      : descriptor_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address = address_of(where_);
    socklen_t size = sizeof address;
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(descriptor_, backlog) != 0 ||
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::system_error{errno, std::generic_category(), "listen"};
    }
    where_.port = ntohs(address.sin_port);
  }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener() { ::close(descriptor_); }

  int descriptor() const noexcept { return descriptor_; }
  const endpoint& where() const noexcept { return where_; }
  std::uint16_t port() const noexcept { return where_.port; }
  int accept() const {
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) throw std::system_error{errno, std::generic_category(), "accept"};
    return accepted;
  }

 private:
  endpoint where_{.address = two_networks::server_address};
  int descriptor_;
};

/// The one connection of a listening port, as the kernel here says.
class kernels_end {
 public:
  explicit kernels_end(std::uint16_t port) : port_{port} {}

  /// nullopt when there is nothing left of it.
  std::optional<tcp_socket> seen() {
    std::optional<tcp_socket> found;
    kernel_.each({.port = port_, .end = port_of::local_end}, [&](const tcp_socket& one) {
      if (one.state != tcp_state::listen) found = one;
    });
    return found;
  }
  /// Waits.
  bool comes_to(tcp_state wanted) {
    return eventually([&] {
      const auto now = seen();
      return now && now->state == wanted;
    });
  }
  /// Waits until nothing is left.
  bool goes() {
    return eventually([&] { return !seen(); });
  }

 private:
  std::uint16_t port_;
  kernel_view kernel_;
};

}  // namespace dwell
