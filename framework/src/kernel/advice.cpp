#include "kernel/diagnosing.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace dwell::inline v0 {
namespace {

/// What is asked for, and room for a quarter more.
constexpr double headroom = 1.25;
constexpr std::uint64_t wide_range_low = 10'240;  // above what servers commonly listen on
constexpr std::uint64_t wide_range_high = 65'535;

std::uint64_t with_headroom(double needed) {
  return static_cast<std::uint64_t>(std::ceil(needed * headroom));
}
std::uint64_t power_of_two(std::uint64_t number) { return std::bit_ceil(number); }

struct kernel_default {
  const char* name;
  const char* value;
  const char* reason;
};
constexpr std::array<kernel_default, 9> defaults{{
    {"net.ipv4.tcp_fin_timeout", "60",
     "the default; it never shortened TIME_WAIT, only cut slow peers"},
    {"net.ipv4.tcp_tw_recycle", "0", "the default; it breaks clients behind NAT"},
    {"net.ipv4.tcp_timestamps", "1", "the default; TIME_WAIT relies on it to tell old from new"},
    {"net.ipv4.tcp_abort_on_overflow", "0",
     "the default; a stall of milliseconds must not reset clients"},
    {"net.ipv4.tcp_syncookies", "1",
     "the default; nobody is locked out when the SYN queue is full"},
    {"net.ipv4.tcp_orphan_retries", "0", "the default, 8 tries; answers survive a short outage"},
    {"net.ipv4.tcp_retries2", "15", "the default; TCP_USER_TIMEOUT bounds it per socket"},
    {"net.ipv4.tcp_window_scaling", "1", "the default; without it 64 KB are in flight at most"},
    {"net.ipv4.tcp_sack", "1", "the default; losses are recovered together"},
}};

class adviser {
 public:
  adviser(const system_facts& facts, const diagnosis& found)
      : facts_{facts},
        found_{found},
        rate_{found.asked.rate.value_or(0)},
        connections_{static_cast<double>(found.asked.connections.value_or(0))} {}

  std::vector<advised_setting> all() {
    descriptors();
    at_least("fs.file-max",
             connections_ + static_cast<double>(facts_.number("fs.file-nr").value_or(0)),
             "as many files as connections, and those open now");
    at_least("fs.epoll.max_user_watches", connections_, "one watch a connection");
    accept_queue();
    time_wait_buckets();
    ports();
    conntrack();
    restore_defaults();
    return std::move(advice_);
  }

 private:
  void say(std::string name, std::string value, std::string reason) {
    advice_.push_back({std::move(name), std::move(value), std::move(reason)});
  }

  void at_least(const char* name, double needed, const char* reason) {
    const auto now = facts_.number(name);
    if (!now || static_cast<double>(*now) >= needed) return;
    say(name, std::to_string(with_headroom(needed)), reason);
  }

  void descriptors() {
    const descriptor_facts& of = facts_.descriptors;
    const bool binds = std::ranges::any_of(
        found_.limits, [](const limit& one) { return one.name == "RLIMIT_NOFILE" && one.binds; });
    if (!binds) return;
    const double needed = connections_ + static_cast<double>(of.in_use + dwell_reserve);
    const std::uint64_t advised = with_headroom(needed);
    say("RLIMIT_NOFILE", std::to_string(advised),
        "LimitNOFILE= in the unit: one descriptor a connection");
    const auto most = facts_.number("fs.nr_open");
    if (most && advised > *most) {
      say("fs.nr_open", std::to_string(power_of_two(advised)), "bounds RLIMIT_NOFILE of a process");
    }
  }

  void accept_queue() {
    const auto now = facts_.number("net.core.somaxconn");
    const double needed = std::max(rate_ * assumed_stall_seconds * headroom, 4'096.0);
    if (!now || static_cast<double>(*now) >= needed) return;
    const std::uint64_t advised = std::min<std::uint64_t>(
        power_of_two(static_cast<std::uint64_t>(std::ceil(needed))), 65'535);
    say("net.core.somaxconn", std::to_string(advised),
        "holds what arrives while nobody accepts for 100 ms; the default is 4096");
  }

  void time_wait_buckets() {
    const auto now = facts_.number("net.ipv4.tcp_max_tw_buckets");
    if (!now) return;
    const bool lowered = std::ranges::any_of(found_.folk, [](const folk_setting& one) {
      return one.name == "net.ipv4.tcp_max_tw_buckets";
    });
    const double needed =
        std::max(rate_ * time_wait_seconds * headroom,
                 lowered ? static_cast<double>(default_time_wait_buckets(facts_)) : 0.0);
    if (static_cast<double>(*now) >= needed) return;
    const auto advised = static_cast<std::uint64_t>(std::ceil(needed));
    say("net.ipv4.tcp_max_tw_buckets", std::to_string(advised),
        readable(static_cast<double>(advised) / time_wait_seconds) +
            " closes a second keep their TIME_WAIT; at 256 B each, " +
            readable(static_cast<double>(advised) * 256 / (1024 * 1024)) + " MiB at most");
  }

  void ports() {
    const auto range = ports_of(facts_);
    if (!range) return;
    const auto binds = std::ranges::any_of(found_.limits, [](const limit& one) {
      return one.name == "net.ipv4.ip_local_port_range" && one.binds;
    });
    constexpr std::uint64_t default_count = 60'999 - 32'768 + 1;
    const std::uint64_t wide = wide_range_high - wide_range_low + 1;
    if ((binds || range->count() + range->reserved < default_count) &&
        range->high - range->low + 1 < wide) {
      say("net.ipv4.ip_local_port_range",
          std::to_string(wide_range_low) + ' ' + std::to_string(wide_range_high),
          readable(static_cast<double>(wide)) + " ports to a destination: " +
              readable(static_cast<double>(wide) / time_wait_seconds) +
              " connections a second where a client closes first");
      reserve(wide_range_low, wide_range_high);
      return;
    }
    reserve(range->low, range->high);
  }

  /// Keeps the server's port out of the range.
  void reserve(std::uint64_t low, std::uint64_t high) {
    const std::uint16_t port = found_.asked.port;
    if (port == 0 || port < low || port > high) return;
    const auto now = facts_.sysctls.find("net.ipv4.ip_local_reserved_ports");
    if (now == facts_.sysctls.end()) return;
    const auto only = std::to_string(port);
    const system_facts alone{
        .sysctls = {{"net.ipv4.ip_local_port_range", only + ' ' + only}, *now}};
    if (ports_of(alone)->count() == 0) return;
    say("net.ipv4.ip_local_reserved_ports", now->second.empty() ? only : now->second + ',' + only,
        "no outgoing connection takes the server's port while it restarts");
  }

  void conntrack() {
    const auto now = facts_.number("net.netfilter.nf_conntrack_max");
    if (!now || !conntrack_is_active(facts_)) return;
    const auto held =
        facts_.number("net.netfilter.nf_conntrack_tcp_timeout_time_wait").value_or(120);
    const double needed =
        std::max(connections_, rate_ * static_cast<double>(held)) +
        static_cast<double>(facts_.number("net.netfilter.nf_conntrack_count").value_or(0));
    if (static_cast<double>(*now) >= needed) return;
    say("net.netfilter.nf_conntrack_max", std::to_string(with_headroom(needed)),
        "a place for each connection, and for " + std::to_string(held) +
            " s after its end; some 300 B each");
  }

  void restore_defaults() {
    for (const kernel_default& each : defaults) {
      const bool moved = std::ranges::any_of(
          found_.folk, [&](const folk_setting& one) { return one.name == each.name; });
      if (moved) say(each.name, each.value, each.reason);
    }
  }

  const system_facts& facts_;
  const diagnosis& found_;
  double rate_;
  double connections_;
  std::vector<advised_setting> advice_;
};

}  // namespace

std::vector<advised_setting> advise(const system_facts& facts, const diagnosis& found) {
  return adviser{facts, found}.all();
}

}  // namespace dwell::inline v0
