#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include <string_view>
#include <vector>

namespace dwell::inline v0 {

/// Adds what /proc/net/sockstat or /proc/net/sockstat6 says. Lines and fields that are not known
/// are passed over.
void add_sockstat(std::string_view text, socket_usage& usage);

/// Adds the counters of /proc/net/netstat or /proc/net/snmp: pairs of lines, names and values.
void add_counters(std::string_view text, std::vector<network_counter>& counters);

}  // namespace dwell::inline v0
