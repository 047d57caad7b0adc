#include "preflight.hpp"

#include <dwell/kernel/kernel_view.hpp>

#include "cpu_list.hpp"
#include "networks.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <dirent.h>
#include <sys/resource.h>

namespace load {
namespace {

std::uint64_t free_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  std::uint64_t open = 0;
  if (DIR* const folder = ::opendir("/proc/self/fd")) {
    while (::readdir(folder) != nullptr) ++open;
    ::closedir(folder);
  }
  return limit.rlim_cur > open ? limit.rlim_cur - open : 0;
}

std::uint64_t number(const std::optional<std::string>& sysctl) {
  return sysctl ? std::strtoull(sysctl->c_str(), nullptr, 10) : 0;
}

/// Connections begun per second; 0: those there are stay.
double begun_per_s(const plan& of) {
  if (of.requests_per_connection == 0 || of.arrival == arrival::closed) return 0;
  return of.rate / static_cast<double>(of.requests_per_connection);
}

void examine_ports(const plan& of, const machine_facts& facts, preflight& found) {
  if (facts.ports == 0) return;
  if (facts.time_waits_there > 0) {
    const bool many = facts.time_waits_there > facts.ports / 20;
    (many ? found.flags : found.notes)
        .push_back(
            fmt::format("{} TIME_WAITs towards this server are left from before, of {} ports{}",
                        facts.time_waits_there, facts.ports, many ? ": wait 60 s" : ""));
  }
  if (of.connections > facts.ports) {
    found.flags.push_back(
        fmt::format("{} connections are asked for, and there are {} local ports: widen "
                    "net.ipv4.ip_local_port_range, or give --source a network",
                    of.connections, facts.ports));
  }
  const double begun = begun_per_s(of);
  const auto ports = static_cast<double>(facts.ports);
  if (of.ending == ending::client && !found.ports.reused_early && begun * 60 > ports) {
    const double lasts = ports / begun;
    const bool within = lasts < std::chrono::duration<double>(of.warmup + of.duration).count();
    (within ? found.flags : found.notes)
        .push_back(fmt::format("the client closes first, and keeps each port for 60 s: at {:.0f} "
                               "connections/s its {} ports last {:.0f} s{}; for good they carry "
                               "{:.0f}/s",
                               begun, facts.ports, lasts, within ? ", less than the run" : "",
                               ports / 60));
  }
  const bool aborts = of.ending == ending::client_abort || of.ending == ending::server_abort;
  if (found.ports.time_waits && !aborts &&
      begun * 60 > static_cast<double>(*found.ports.time_waits)) {
    found.notes.push_back(
        fmt::format("net.ipv4.tcp_max_tw_buckets = {}: TIME_WAITs over that are dropped at once",
                    *found.ports.time_waits));
  }
}

}  // namespace

machine_facts look(const plan& of) {
  machine_facts facts;
  const std::optional<way_out> way = way_to(of.host, of.port);
  facts.loopback = way && way->within_this_network;
  facts.ports = count_ports(read_sysctl("net.ipv4.ip_local_port_range").value_or(""),
                            read_sysctl("net.ipv4.ip_local_reserved_ports").value_or("")) *
                count_sources(of.source);
  facts.descriptors = free_descriptors();
  facts.time_wait_limit = number(read_sysctl("net.ipv4.tcp_max_tw_buckets"));
  facts.tw_reuse = static_cast<int>(number(read_sysctl("net.ipv4.tcp_tw_reuse")));
  dwell::kernel_view kernel;
  facts.time_waits_there =
      kernel.port(of.port, dwell::port_of::remote_end).remote[dwell::tcp_state::time_wait];
  if (of.server) {
    const processors theirs = usable_processors(*of.server);
    const processors ours = usable_processors();
    facts.same_processor = ours.size() == 1 && ours == theirs;
  }
  return facts;
}

preflight examine(const plan& of, const machine_facts& facts) {
  preflight found;
  found.ports.available = facts.ports;
  if (facts.time_wait_limit != 0) found.ports.time_waits = facts.time_wait_limit;
  found.ports.reused_early = facts.tw_reuse == 1 || (facts.tw_reuse == 2 && facts.loopback);
  if (found.ports.reused_early && of.requests_per_connection != 0) {
    found.notes.push_back(
        fmt::format("net.ipv4.tcp_tw_reuse = {}{}: a port in TIME_WAIT is used again after 1 s, so "
                    "running out of ports, as between two machines, does not show",
                    facts.tw_reuse, facts.loopback ? " over loopback" : ""));
  }
  if (facts.loopback) {
    found.notes.emplace_back(
        "client and server are in one network: what one sends, it also receives for the other, so "
        "whose CPU time it was is not to be told");
  }
  if (facts.same_processor) {
    found.flags.emplace_back(
        "client and server run on the same processor: each waits for the other");
  }
  if (of.connections > facts.descriptors) {
    found.flags.push_back(
        fmt::format("{} connections are asked for, and RLIMIT_NOFILE leaves {} descriptors: raise "
                    "it (ulimit -n)",
                    of.connections, facts.descriptors));
  }
  examine_ports(of, facts, found);
  return found;
}

}  // namespace load
