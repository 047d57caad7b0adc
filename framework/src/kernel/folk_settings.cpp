#include "kernel/diagnosing.hpp"

#include <algorithm>
#include <array>

namespace dwell::inline v0 {
namespace {

using is_in_force = bool (*)(std::uint64_t value, const system_facts& facts);

/// A sysctl whose value, where the predicate holds, was probably set for what it does not do.
/// Sources: the kernel's ip-sysctl.rst, and measurements on Linux 6.1 and 6.18.
struct folk_belief {
  const char* name;
  is_in_force in_force;
  const char* belief;
  const char* truth;
};

bool is_lowered(std::uint64_t buckets, const system_facts& facts) {
  return buckets < default_time_wait_buckets(facts) / 2;
}

bool exceeds_memory(std::uint64_t, const system_facts& facts) {
  const auto pages = facts.numbers("net.ipv4.tcp_mem");
  constexpr std::uint64_t page = 4'096;
  // Written in bytes, as tcp_rmem and tcp_wmem are, the bound is 4,096 times what was meant.
  return pages.size() == 3 && facts.memory_free && pages[2] > 16 * (*facts.memory_free / page);
}

constexpr std::array<folk_belief, 16> beliefs{{
    {"net.ipv4.tcp_fin_timeout",
     [](std::uint64_t value, const system_facts&) { return value != 60; }, "shortens TIME_WAIT",
     "TIME_WAIT stays 60 s, which is compiled into the kernel. It bounds how long an orphan waits "
     "in "
     "FIN_WAIT_2 for a peer that does not close; lower, it cuts peers that are slow to close"},
    {"net.ipv4.tcp_tw_reuse", [](std::uint64_t value, const system_facts&) { return value == 1; },
     "frees a server from TIME_WAIT",
     "acts on outgoing connections only, needs tcp_timestamps, and waits tcp_tw_reuse_delay (1 s). "
     "It "
     "does nothing for a server, which needs no port for a TIME_WAIT; on a client it is what it is "
     "for"},
    {"net.ipv4.tcp_tw_recycle", [](std::uint64_t value, const system_facts&) { return value != 0; },
     "recycles TIME_WAIT safely",
     "drops SYNs of clients that share an address (NAT); removed in Linux 4.12. Set it to 0"},
    {"net.ipv4.tcp_max_tw_buckets", is_lowered, "a lower number saves resources",
     "TIME_WAITs beyond it are dropped at once, so that late segments of an old connection can "
     "reach a "
     "new one. One takes 256 B, no descriptor and no server port; ip-sysctl.rst: \"must not "
     "lower\""},
    {"net.ipv4.tcp_timestamps", [](std::uint64_t value, const system_facts&) { return value == 0; },
     "less overhead",
     "switches off what tells an old segment from a new one (PAWS) and what lets a port in "
     "TIME_WAIT be "
     "used again (tcp_tw_reuse, a client's new SYN)"},
    {"net.ipv4.tcp_abort_on_overflow",
     [](std::uint64_t value, const system_facts&) { return value != 0; },
     "clients learn early that the server is busy",
     "resets connections that a stall of some milliseconds has kept from accept(); otherwise the "
     "client's kernel tries again and nobody notices"},
    {"net.ipv4.tcp_syncookies", [](std::uint64_t value, const system_facts&) { return value != 1; },
     "cookies cost performance (0), or protect always (2)",
     "1 uses them only when the queue of half-open connections is full. 0 drops SYNs then; 2 "
     "always "
     "gives up options the cookie cannot hold, and is for tests"},
    {"net.ipv4.tcp_rfc1337", [](std::uint64_t value, const system_facts&) { return value != 0; },
     "keeps TIME_WAITs away, or protects clients",
     "lets TIME_WAIT ignore an RST, so that it always lasts its 60 s: there are more of them, not "
     "fewer"},
    {"net.ipv4.tcp_orphan_retries",
     [](std::uint64_t value, const system_facts&) { return value != 0 && value != 8; },
     "fewer orphans",
     "how often unacknowledged data of a closed connection is sent again before it is thrown away "
     "(0 "
     "means 8): low, a short outage cuts answers off"},
    {"net.ipv4.tcp_retries2", [](std::uint64_t value, const system_facts&) { return value < 8; },
     "dead peers are found sooner",
     "also ends living connections in an outage of seconds (RFC 1122 wants 100 s at least); "
     "TCP_USER_TIMEOUT does it per socket, and Dwell sets that"},
    {"net.ipv4.tcp_keepalive_time",
     [](std::uint64_t value, const system_facts&) { return value != 7200; },
     "idle connections are closed after it",
     "acts only on sockets with SO_KEEPALIVE, and finds peers that are gone, not ones that are "
     "idle"},
    {"net.ipv4.tcp_mem", exceeds_memory, "is in bytes, like tcp_rmem",
     "is in pages of 4 KiB. At this value TCP may take more memory than there is, and the kernel "
     "kills "
     "processes instead of shrinking buffers"},
    {"net.ipv4.tcp_window_scaling",
     [](std::uint64_t value, const system_facts&) { return value == 0; }, "saves work",
     "bounds each connection to 64 KB in flight: 5 Mbit/s at a round trip of 100 ms"},
    {"net.ipv4.tcp_sack", [](std::uint64_t value, const system_facts&) { return value == 0; },
     "saves CPU, or closes CVE-2019-11477",
     "losses are recovered one a round trip; the hole was closed in 2019"},
    {"net.ipv4.tcp_low_latency",
     [](std::uint64_t value, const system_facts&) { return value != 0; }, "lowers latency",
     "does nothing since Linux 4.14"},
    {"net.netfilter.nf_conntrack_tcp_timeout_time_wait",
     [](std::uint64_t value, const system_facts&) { return value != 120; }, "shortens TIME_WAIT",
     "is about conntrack's own table. The socket's TIME_WAIT stays 60 s; the table does empty "
     "sooner"},
}};

/// A listener's port among those that connect() picks from.
void note_port_in_range(const system_facts& facts, const workload& asked,
                        std::vector<folk_setting>& found) {
  const auto range = ports_of(facts);
  if (!range || asked.port < range->low || asked.port > range->high) return;
  const auto reserved = facts.sysctls.find("net.ipv4.ip_local_reserved_ports");
  system_facts alone{.sysctls = {{"net.ipv4.ip_local_port_range",
                                  std::to_string(asked.port) + ' ' + std::to_string(asked.port)}}};
  if (reserved != facts.sysctls.end()) alone.sysctls.insert(*reserved);
  if (ports_of(alone)->count() == 0) return;
  found.push_back(
      {.name = "net.ipv4.ip_local_port_range",
       .value = std::to_string(range->low) + ' ' + std::to_string(range->high),
       .belief = "only concerns clients",
       .truth = "port " + std::to_string(asked.port) +
                " lies in it: while the server is down, an outgoing connection can take "
                "the port, and the restart fails with EADDRINUSE. Reserve it in "
                "net.ipv4.ip_local_reserved_ports"});
}

}  // namespace

std::vector<folk_setting> find_folk_settings(const system_facts& facts, const workload& asked) {
  std::vector<folk_setting> found;
  for (const folk_belief& each : beliefs) {
    const auto value = facts.number(each.name);
    if (!value || !each.in_force(*value, facts)) continue;
    found.push_back({.name = each.name,
                     .value = facts.sysctls.find(each.name)->second,
                     .belief = each.belief,
                     .truth = each.truth});
  }
  if (asked.port != 0) note_port_in_range(facts, asked, found);
  return found;
}

}  // namespace dwell::inline v0
