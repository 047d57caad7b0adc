#pragma once

#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace load {

/// What bounds the connections of a client to one destination.
struct port_limits {
  std::uint64_t available = 0;  ///< as port_use::available; 0: not known
  /// TIME_WAITs of the client's network at the same time (net.ipv4.tcp_max_tw_buckets); the kernel
  /// drops what is over it, and the port is free.
  std::optional<std::uint64_t> time_waits;
  /// net.ipv4.tcp_tw_reuse applies to this destination: a TIME_WAIT's port is used again after 1 s.
  bool reused_early = false;
};

/// Ports in net.ipv4.ip_local_port_range ("32768 60999") that are not in
/// net.ipv4.ip_local_reserved_ports ("8080,9000-9010"). 0 for what is not a range.
std::uint64_t count_ports(const std::string& range, const std::string& reserved);

/// Addresses that connect_options::source takes turns with: "10.0.0.5" is 1, "10.0.0.0/24" 254,
/// none 1.
std::uint64_t count_sources(const std::string& source);

/// Fills port_use::peak, exhausted_at_s and predicted_exhaustion_s from result.seconds and errors.
///
/// The prediction takes what the ports in use grew by per second in the first ten seconds or,
/// where they last for less, the first half of that: a port used once is used for 60 s more, so
/// growth ends after 60 s, or at the limit of TIME_WAITs, at whatever is lower; if that is more
/// than there is, the moment at which it would be reached is what is predicted.
void account_ports(run_result& result, const port_limits& limits);

}  // namespace load
