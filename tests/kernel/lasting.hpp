#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include "support/eventually.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <linux/filter.h>
#include <optional>
#include <sys/socket.h>

namespace dwell {

/// From now on the kernel drops every segment that comes for this socket, before TCP sees it: to
/// the other end it has vanished.
inline void vanish(int descriptor) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog filter{.len = 1, .filter = &nothing};
  EXPECT_EQ(::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
}

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
