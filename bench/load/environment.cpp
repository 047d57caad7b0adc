#include "environment.hpp"

#include "cpu_list.hpp"
#include "networks.hpp"
#include "plan.hpp"

#include <array>
#include <charconv>
#include <fstream>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <system_error>
#include <thread>

namespace load {
namespace {

using sysctls = std::map<std::string, std::string>;

/// What decides about ports, TIME_WAIT, queues and buffers.
constexpr std::array names{"net.ipv4.ip_local_port_range",
                           "net.ipv4.ip_local_reserved_ports",
                           "net.ipv4.tcp_tw_reuse",
                           "net.ipv4.tcp_max_tw_buckets",
                           "net.ipv4.tcp_fin_timeout",
                           "net.ipv4.tcp_rfc1337",
                           "net.ipv4.tcp_timestamps",
                           "net.ipv4.tcp_congestion_control",
                           "net.ipv4.tcp_max_syn_backlog",
                           "net.ipv4.tcp_syncookies",
                           "net.ipv4.tcp_rmem",
                           "net.ipv4.tcp_wmem",
                           "net.core.somaxconn"};

sysctls read_sysctls() {
  sysctls read;
  for (const char* name : names) {
    if (const std::optional<std::string> value = read_sysctl(name)) read[name] = *value;
  }
  return read;
}

std::optional<std::uint64_t> time_wait_limit(const sysctls& of) {
  const auto found = of.find("net.ipv4.tcp_max_tw_buckets");
  if (found == of.end()) return std::nullopt;
  std::uint64_t value = 0;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string processor_name() {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name") && !line.starts_with("Model")) continue;
    const std::size_t start = line.find_first_not_of(": \t", line.find(':'));
    return start == std::string::npos ? std::string{} : line.substr(start);
  }
  return "not named by the kernel";
}

std::optional<sysctls> server_sysctls(const plan& of, bool same_network) {
  if (same_network) return read_sysctls();
  if (!of.server) return std::nullopt;
  sysctls read;
  try {
    in_network_of(*of.server, [&read] { read = read_sysctls(); });
  } catch (const std::system_error&) {
    return std::nullopt;  // another user's; the report shows nothing for that end
  }
  return read;
}

}  // namespace

environment describe(const plan& of) {
  environment about;
  utsname system{};
  ::uname(&system);
  about.kernel = std::string{system.sysname} + ' ' + system.release;
  about.processor = processor_name();
  about.processors = static_cast<std::uint32_t>(std::thread::hardware_concurrency());
  about.version = DWELL_VERSION;
  const std::optional<way_out> way = way_to(of.host, of.port);
  const bool same_network = way && way->within_this_network;
  about.link = same_network ? "loopback" : way ? "interface " + way->interface : "unknown";
  about.server = target_of(of);
  about.client_sysctls = read_sysctls();
  about.client_time_wait_limit = time_wait_limit(about.client_sysctls);
  if (const std::optional<sysctls> there = server_sysctls(of, same_network)) {
    about.server_sysctls = *there;
    about.server_time_wait_limit = time_wait_limit(*there);
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  about.descriptors = limit.rlim_cur;
  return about;
}

}  // namespace load
