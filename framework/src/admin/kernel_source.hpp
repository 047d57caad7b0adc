#pragma once

#include <dwell/kernel/kernel_view.hpp>
#include <dwell/server/server.hpp>

#include <optional>
#include <string>
#include <vector>

namespace dwell::inline v0 {

/// What the kernel says about one network and the ports in it.
struct kernel_facts {
  std::string error;  ///< why nothing is known; empty: the rest is valid
  socket_usage usage{};
  network_counters counters{{}};
  /// By service, as asked; nullopt: not TCP, or not asked.
  std::vector<std::optional<port_view>> ports{};
};

/// Asks the kernel, about the network of the thread that made this. One call at a time, on a worker
/// thread: a port takes the kernel some 10 ms with 15,000 sockets.
class kernel_source {
 public:
  /// Where the kernel cannot be asked, the facts say why.
  kernel_source();
  kernel_facts about_network() noexcept;
  kernel_facts about_ports(const std::vector<service_status>& services) noexcept;

 private:
  std::optional<kernel_view> view_;
  std::string error_;
};

}  // namespace dwell::inline v0
