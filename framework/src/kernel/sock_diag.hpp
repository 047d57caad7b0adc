#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include <functional>
#include <memory>
#include <vector>

struct mnl_socket;

namespace dwell::inline v0 {

/// The sockets of a network namespace, through netlink (sock_diag(7)).
class sock_diag {
 public:
  /// Throws std::system_error that says what the kernel lacks.
  sock_diag();
  void each(const socket_query& which, const std::function<void(const tcp_socket&)>& visit);

 private:
  struct closer {
    void operator()(mnl_socket* open) const noexcept;
  };

  std::unique_ptr<mnl_socket, closer> socket_;
  std::vector<char> buffer_;
  std::uint32_t sequence_ = 0;
};

}  // namespace dwell::inline v0
