#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>

namespace load {

/// Whether the calling thread is in the network namespace of that process. nullopt: the process is
/// gone, or not ours to see.
std::optional<bool> shares_network(pid_t process);

/// Runs `body` in the network namespace of that process, on a thread of its own, and waits for it.
/// What is opened there stays there. Throws std::system_error when that is not allowed, and what
/// `body` throws.
void in_network_of(pid_t process, const std::function<void()>& body);

/// The address and the interface that packets of the calling thread's network go out by.
struct way_out {
  std::string address;
  std::string interface;
  bool within_this_network = false;  ///< the destination is an address of this network itself
};

/// nullopt: there is no way, or the name is not known.
std::optional<way_out> way_to(const std::string& host, std::uint16_t port);

/// A sysctl of the calling thread's network, as the kernel writes it, white space made one blank.
/// nullopt: this kernel or this network has none of that name.
std::optional<std::string> read_sysctl(const std::string& name);

}  // namespace load
