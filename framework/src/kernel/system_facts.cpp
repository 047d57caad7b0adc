#include <dwell/kernel/system_facts.hpp>

#include "kernel/cgroup.hpp"
#include "kernel/listening_process.hpp"
#include "kernel/proc_text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>

namespace dwell::inline v0 {
namespace {

constexpr std::array<const char*, 35> sysctls_to_read{
    "fs.epoll.max_user_watches",
    "fs.file-max",
    "fs.file-nr",
    "fs.nr_open",
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_ehash_entries",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_low_latency",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_migrate_req",
    "net.ipv4.tcp_orphan_retries",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_recycle",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_tw_reuse_delay",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_tcp_timeout_fin_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait",
};

/// Those that older kernels, or kernels without conntrack, lack; nothing is wrong then.
bool may_be_missing(std::string_view name) {
  return name.starts_with("net.netfilter.") || name == "net.ipv4.tcp_tw_recycle" ||
         name == "net.ipv4.tcp_tw_reuse_delay" || name == "net.ipv4.tcp_ehash_entries" ||
         name == "net.ipv4.tcp_migrate_req" || name == "net.ipv4.tcp_low_latency";
}

void read_sysctl(const std::string& name, system_facts& facts) {
  std::string path = "/proc/sys/" + name;
  std::replace(path.begin() + sizeof "/proc/sys/" - 1, path.end(), '.', '/');
  std::ifstream file{path};
  std::string value;
  if (file && std::getline(file, value)) {
    std::ranges::replace(value, '\t', ' ');
    facts.sysctls.emplace(name, value);
  } else if (file.eof()) {
    facts.sysctls.emplace(name, "");  // ip_local_reserved_ports, when there is none
  } else if (!may_be_missing(name)) {
    facts.unreadable.push_back(
        name + ": " + std::strerror(errno) +
        (errno == ENOENT ? "; the kernel shows it only outside of containers and network namespaces"
                         : ""));
  }
}

void read_memory(system_facts& facts) {
  std::ifstream file{"/proc/meminfo"};
  std::string name;
  std::uint64_t kib = 0;
  for (std::string unit; file >> name >> kib; std::getline(file, unit)) {
    if (name != "MemAvailable:") continue;
    facts.memory_free = kib * 1024;
    facts.memory_bound = "memory of the machine";
    break;
  }
  if (!facts.memory_free) facts.unreadable.emplace_back("/proc/meminfo: no MemAvailable");
  const auto group = read_memory_limit();
  if (group && (!facts.memory_free || group->free < *facts.memory_free)) {
    facts.memory_free = group->free;
    facts.memory_bound = group->name;
  }
}

void read_cpus(system_facts& facts) {
  cpu_set_t set{};
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return;
  const auto quota = read_cpu_quota();
  if (quota && *quota < CPU_COUNT(&set)) facts.cpu_quota = quota;
}

void read_listeners(std::uint16_t port, system_facts& facts) {
  try {
    facts.listeners = kernel_view{}.port(port).listeners;
  } catch (const std::exception& problem) {
    facts.unreadable.push_back("listeners of port " + std::to_string(port) + ": " + problem.what());
    return;
  }
  if (facts.listeners.empty()) return;
  if (const auto process = find_listening_process(facts.listeners)) {
    facts.descriptors = *process;
  } else {
    facts.unreadable.push_back("who listens on port " + std::to_string(port) +
                               ": not visible to this user; RLIMIT_NOFILE is that of this process");
  }
}

}  // namespace

std::optional<std::uint64_t> system_facts::number(std::string_view sysctl) const {
  const auto all = numbers(sysctl);
  if (all.empty()) return std::nullopt;
  return all.front();
}

std::vector<std::uint64_t> system_facts::numbers(std::string_view sysctl) const {
  const auto found = sysctls.find(sysctl);
  std::vector<std::uint64_t> all;
  if (found == sysctls.end()) return all;
  const char* at = found->second.data();
  const char* const end = at + found->second.size();
  while (at != end) {
    std::uint64_t value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error == std::errc::result_out_of_range) value = UINT64_MAX;
    if (error == std::errc::invalid_argument) break;
    all.push_back(value);
    at = std::find_if(rest, end, [](char c) { return c != ' ' && c != '\t'; });
  }
  return all;
}

system_facts read_system_facts(std::uint16_t port) {
  system_facts facts;
  for (const char* name : sysctls_to_read) read_sysctl(name, facts);
  facts.descriptors = read_own_descriptors();
  read_memory(facts);
  read_cpus(facts);
  if (port != 0) read_listeners(port, facts);
  return facts;
}

}  // namespace dwell::inline v0
