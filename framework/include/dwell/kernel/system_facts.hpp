#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

/// Descriptors of one process.
struct descriptor_facts {
  /// "nginx (pid 812)": who listens on the port that was asked about; empty: this process.
  std::string process{};
  std::uint64_t soft_limit = 0;  ///< RLIMIT_NOFILE
  std::uint64_t hard_limit = 0;
  /// In use for other things than connections of that port.
  std::uint64_t in_use = 0;
};

/// What bounds connections on this machine, as it is now. A value: diagnose() needs nothing else.
struct system_facts {
  /// Sysctls by name, "net.ipv4.tcp_fin_timeout", as the kernel writes them. One that is missing
  /// here could not be read.
  std::map<std::string, std::string, std::less<>> sysctls{};
  descriptor_facts descriptors{};
  /// Bytes that are still free, and what says so: the machine or a control group.
  std::optional<std::uint64_t> memory_free{};
  std::string memory_bound{};
  /// CPUs of a control group's quota, where it is less than what the process may run on.
  std::optional<double> cpu_quota{};
  /// Of the port that was asked about.
  std::vector<listener_view> listeners{};
  /// What could not be read, and why.
  std::vector<std::string> unreadable{};

  /// A sysctl's first number; nullopt when it could not be read.
  std::optional<std::uint64_t> number(std::string_view sysctl) const;
  /// All of its numbers.
  std::vector<std::uint64_t> numbers(std::string_view sysctl) const;
};

/// Reads them, for the calling thread's network namespace. `port` 0: no listener is looked for.
/// Needs no privilege, but sees the descriptors of another user's listener only as root. Throws
/// nothing for a fact that is missing: `unreadable` says it.
system_facts read_system_facts(std::uint16_t port = 0);

}  // namespace dwell::inline v0
