#pragma once

#include <dwell/kernel/doctor.hpp>

#include "base/descriptor_reserve.hpp"

#include <string>
#include <vector>

namespace dwell::inline v0 {

/// TIME_WAIT lasts this long, compiled into the kernel (TCP_TIMEWAIT_LEN).
inline constexpr double time_wait_seconds = 60;
/// A loop that does not accept for this long is assumed to happen: a slow handler, a page fault,
/// the scheduler.
inline constexpr double assumed_stall_seconds = 0.1;

/// What a Dwell server of one loop keeps back.
inline constexpr std::uint64_t dwell_reserve = reserved_descriptors + reserved_per_loop;

/// The port range that connect() takes its ports from.
struct port_range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::uint64_t reserved = 0;  ///< of these, ip_local_reserved_ports
  std::uint64_t count() const noexcept { return high - low + 1 - reserved; }
};
/// nullopt where it could not be read.
std::optional<port_range> ports_of(const system_facts& facts);

/// What the kernel sets net.ipv4.tcp_max_tw_buckets to when it boots: half of the places in its
/// table of connections.
std::uint64_t default_time_wait_buckets(const system_facts& facts);

/// Whether a rule of this network makes conntrack look at connections; there is no way to ask but
/// to see whether it has any.
bool conntrack_is_active(const system_facts& facts);

/// 1234567.8 as "1,234,568"; below ten with a decimal.
std::string readable(double number);

std::vector<limit> find_limits(const system_facts& facts, std::vector<std::string>& notes);
std::vector<folk_setting> find_folk_settings(const system_facts& facts, const workload& asked);
std::vector<advised_setting> advise(const system_facts& facts, const diagnosis& found);

}  // namespace dwell::inline v0
