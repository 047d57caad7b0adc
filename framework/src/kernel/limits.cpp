#include "kernel/diagnosing.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace dwell::inline v0 {
namespace {

/// Measured: an established connection in the kernel, with its descriptor and place in an epoll
/// set.
constexpr double bytes_per_connection = 4'200;
constexpr double assumed_round_trip_seconds = 0.1;
constexpr double conntrack_time_wait_default = 120;

constexpr std::array both_sides{network_side::server, network_side::client};

double as_double(std::uint64_t number) { return static_cast<double>(number); }
/// Never below zero.
double left_of(std::uint64_t limit, double used) { return std::max(as_double(limit) - used, 0.0); }

class limit_finder {
 public:
  limit_finder(const system_facts& facts, std::vector<std::string>& notes)
      : facts_{facts}, notes_{notes} {}

  std::vector<limit> all() {
    descriptors();
    files_of_the_machine();
    epoll_watches();
    memory();
    accept_queue();
    half_open();
    orphans();
    time_wait_buckets();
    ports();
    conntrack();
    cpu_quota();
    return std::move(found_);
  }

 private:
  void add(limit one) { found_.push_back(std::move(one)); }
  void add_for_both(limit one) {
    for (const network_side side : both_sides) {
      one.side = side;
      add(one);
    }
  }

  void descriptors() {
    for (const network_side side : both_sides) add(descriptors_of(side));
  }

  limit descriptors_of(network_side side) const {
    const descriptor_facts& of = facts_.descriptors;
    const bool is_server = side == network_side::server;
    const bool runs = is_server && !of.process.empty();
    limit one{.side = side,
              .unit = limit_unit::at_once,
              .beyond = beyond_limit::fails,
              .name = "RLIMIT_NOFILE",
              .value = std::to_string(of.soft_limit) + (runs ? " of " + of.process : ""),
              .allows = left_of(of.soft_limit, as_double(of.in_use)),
              .because =
                  "one descriptor a connection, " + std::to_string(of.in_use) + " for other things",
              .then = is_server ? "accept() fails with EMFILE" : "socket() fails with EMFILE",
              .fix = of.hard_limit > of.soft_limit
                         ? "ulimit -n " + std::to_string(of.hard_limit) +
                               " (the hard limit), or LimitNOFILE= in the systemd unit"
                         : "LimitNOFILE= in the systemd unit, or /etc/security/limits.conf"};
    if (is_server && !runs) to_be_served_by_dwell(one);
    return one;
  }

  void to_be_served_by_dwell(limit& one) const {
    one.allows = as_double(connections_within(facts_.descriptors.soft_limit, 1));
    one.because = "one descriptor a connection; a Dwell server keeps " +
                  std::to_string(dwell_reserve) + " for other things, and " +
                  std::to_string(reserved_per_loop) + " more for each loop after the first";
    one.then = "Dwell evicts the longest idle connection; others fail in accept() with EMFILE";
  }

  void files_of_the_machine() {
    const auto most = facts_.number("fs.file-max");
    const auto open = facts_.number("fs.file-nr");
    if (!most || !open) return;
    add_for_both({.unit = limit_unit::at_once,
                  .beyond = beyond_limit::fails,
                  .name = "fs.file-max",
                  .value = std::to_string(*most),
                  .allows = left_of(*most, as_double(*open)),
                  .because = std::to_string(*open) + " files are open on this machine",
                  .then = "accept() and socket() fail with ENFILE, in every process",
                  .fix = "raise fs.file-max"});
  }

  void epoll_watches() {
    const auto most = facts_.number("fs.epoll.max_user_watches");
    if (!most) return;
    add_for_both({.unit = limit_unit::at_once,
                  .beyond = beyond_limit::fails,
                  .name = "fs.epoll.max_user_watches",
                  .value = std::to_string(*most),
                  .allows = as_double(*most),
                  .because = "one watch a connection, over all processes of a user",
                  .then = "EPOLL_CTL_ADD fails with ENOSPC",
                  .fix = "raise fs.epoll.max_user_watches"});
  }

  void memory() {
    if (!facts_.memory_free) return;
    add_for_both({.unit = limit_unit::at_once,
                  .beyond = beyond_limit::fails,
                  .name = facts_.memory_bound,
                  .value = readable(as_double(*facts_.memory_free) / (1024 * 1024)) + " MiB free",
                  .allows = std::floor(as_double(*facts_.memory_free) / bytes_per_connection),
                  .because =
                      "an idle connection takes 4.2 KB in the kernel (measured), and what the "
                      "application keeps",
                  .then = "the kernel reclaims, then kills a process (OOM)",
                  .fix = "more memory, or a higher limit of the control group"});
  }

  void accept_queue() {
    auto length = facts_.number("net.core.somaxconn");
    std::string name = "net.core.somaxconn";
    for (const listener_view& one : facts_.listeners) {
      if (length && one.limit >= *length) continue;
      length = one.limit;
      name = "backlog of " + to_string(one.where);
    }
    if (!length) return;
    const bool resets = facts_.number("net.ipv4.tcp_abort_on_overflow") == 1;
    add({.side = network_side::server,
         .unit = limit_unit::per_second,
         .beyond = resets ? beyond_limit::fails : beyond_limit::degrades,
         .name = name,
         .value = std::to_string(*length),
         .allows = as_double(*length) / assumed_stall_seconds,
         .because =
             std::to_string(*length) + " connections may wait while nobody accepts for 100 ms",
         .then = resets ? "the client is reset (tcp_abort_on_overflow = 1; ListenOverflows)"
                        : "the kernel drops the client's last ACK or SYN, which comes again after "
                          "1 s or more (ListenOverflows, ListenDrops)",
         .fix = name == "net.core.somaxconn"
                    ? "raise net.core.somaxconn; listen() takes the smaller of it and its backlog"
                    : "a larger backlog in listen(); net.core.somaxconn is not what binds"});
  }

  void half_open() {
    const auto cookies = facts_.number("net.ipv4.tcp_syncookies");
    const auto backlog = facts_.number("net.ipv4.tcp_max_syn_backlog");
    if (cookies != 0 || !backlog) return;
    add({.side = network_side::server,
         .unit = limit_unit::per_second,
         .beyond = beyond_limit::degrades,
         .name = "net.ipv4.tcp_max_syn_backlog",
         .value = std::to_string(*backlog) + ", with tcp_syncookies = 0",
         .allows = as_double(*backlog) * 0.75 / assumed_round_trip_seconds,
         .because = "three quarters of it may be half-open, for a round trip of 100 ms each",
         .then = "SYNs are dropped and come again after 1 s; a SYN flood locks everybody out "
                 "(ListenDrops)",
         .fix = "net.ipv4.tcp_syncookies = 1"});
  }

  void orphans() {
    const auto most = facts_.number("net.ipv4.tcp_max_orphans");
    if (!most) return;
    add({.side = network_side::server,
         .unit = limit_unit::per_second,
         .beyond = beyond_limit::fails,
         .name = "net.ipv4.tcp_max_orphans",
         .value = std::to_string(*most),
         .allows = as_double(*most) / assumed_round_trip_seconds,
         .because = "a closed connection is an orphan for a round trip of 100 ms; much longer when "
                    "the peer does not close",
         .then = "orphans are reset, their unsent data lost (TCPAbortOnMemory)",
         .fix = "raise net.ipv4.tcp_max_orphans"});
  }

  void time_wait_buckets() {
    const auto most = facts_.number("net.ipv4.tcp_max_tw_buckets");
    if (!most) return;
    add_for_both(
        {.unit = limit_unit::per_second,
         .beyond = beyond_limit::degrades,
         .name = "net.ipv4.tcp_max_tw_buckets",
         .value = std::to_string(*most),
         .allows = as_double(*most) / time_wait_seconds,
         .because = std::to_string(*most) + " TIME_WAITs of 60 s, where this end closes first",
         .then = "further TIME_WAITs are dropped at once: nothing fails, but a late segment "
                 "of an old connection can reach a new one (TCPTimeWaitOverflow)",
         .fix = "raise net.ipv4.tcp_max_tw_buckets; one takes 256 B"});
  }

  void ports() {
    const auto range = ports_of(facts_);
    if (!range) return;
    limit one{.side = network_side::client,
              .unit = limit_unit::at_once,
              .beyond = beyond_limit::fails,
              .name = "net.ipv4.ip_local_port_range",
              .value = std::to_string(range->low) + ' ' + std::to_string(range->high),
              .allows = as_double(range->count()),
              .because = std::to_string(range->count()) +
                         " ports for each pair of own address and destination",
              .then = "connect() fails with EADDRNOTAVAIL",
              .fix =
                  "a wider range, several own or server addresses; before bind() to an address "
                  "IP_BIND_ADDRESS_NO_PORT"};
    add(one);
    const auto buckets = facts_.number("net.ipv4.tcp_max_tw_buckets");
    if (buckets && *buckets < range->count()) {
      notes_.push_back("tcp_max_tw_buckets (" + std::to_string(*buckets) +
                       ") is below the number of "
                       "ports (" +
                       std::to_string(range->count()) +
                       "): TIME_WAITs are dropped before "
                       "a client runs out of ports.");
      return;
    }
    port_rate(std::move(one), range->count());
  }

  /// Each port is held by its TIME_WAIT.
  void port_rate(limit one, std::uint64_t ports) {
    const auto reuse = facts_.number("net.ipv4.tcp_tw_reuse").value_or(0);
    const bool reuses = reuse == 1 && facts_.number("net.ipv4.tcp_timestamps") != 0;
    const double held =
        reuses ? as_double(facts_.number("net.ipv4.tcp_tw_reuse_delay").value_or(1'000)) / 1'000
               : time_wait_seconds;
    one.unit = limit_unit::per_second;
    one.allows = as_double(ports) / std::max(held, 0.001);
    one.because = std::to_string(ports) + " ports to a destination, each held " + readable(held) +
                  " s by TIME_WAIT when the client closes first" +
                  (reuses ? " (tcp_tw_reuse = 1)" : "");
    one.fix = "let the server close first, keep connections, more addresses, a wider range";
    if (!reuses) one.fix += "; on clients tcp_tw_reuse = 1";
    if (reuse == 2) {
      notes_.emplace_back(
          "tcp_tw_reuse = 2: on loopback a client gets its port back after a second, so a test "
          "there "
          "does not meet the limit on ports.");
    }
    add(std::move(one));
  }

  void conntrack() {
    const auto most = facts_.number("net.netfilter.nf_conntrack_max");
    const auto tracked = facts_.number("net.netfilter.nf_conntrack_count").value_or(0);
    if (!most) {
      notes_.emplace_back("conntrack: not in this kernel, or not loaded; no limit from there.");
      return;
    }
    if (!conntrack_is_active(facts_)) {
      notes_.push_back("conntrack: its table has " + std::to_string(*most) +
                       " places, but no connection is tracked here now; a stateful rule or NAT in "
                       "nftables or iptables would make it a limit.");
      return;
    }
    const double left = left_of(*most, as_double(tracked));
    const double held =
        as_double(facts_.number("net.netfilter.nf_conntrack_tcp_timeout_time_wait")
                      .value_or(static_cast<std::uint64_t>(conntrack_time_wait_default)));
    limit one{.unit = limit_unit::at_once,
              .beyond = beyond_limit::fails,
              .name = "net.netfilter.nf_conntrack_max",
              .value = std::to_string(*most),
              .allows = left,
              .because = std::to_string(tracked) + " places of the table are taken",
              .then =
                  "packets of new connections are dropped (\"nf_conntrack: table full\" in the "
                  "kernel's log); clients see timeouts",
              .fix = "raise net.netfilter.nf_conntrack_max, or notrack for this port"};
    add_for_both(one);
    one.unit = limit_unit::per_second;
    one.allows = left / std::max(held, 1.0);
    one.because += ", and each connection keeps its own for " + readable(held) +
                   " s after its end (nf_conntrack_tcp_timeout_time_wait)";
    add_for_both(one);
  }

  void cpu_quota() {
    if (!facts_.cpu_quota) return;
    notes_.push_back("CPU: a control group allows " + readable(*facts_.cpu_quota) +
                     " CPUs. When they are used up, the process stands still for the rest of a "
                     "period, and the accept queue has to hold what comes meanwhile.");
  }

  const system_facts& facts_;
  std::vector<std::string>& notes_;
  std::vector<limit> found_;
};

/// How many of "1024-1030,8080" lie in the range.
std::uint64_t reserved_in(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t count = 0;
  while (!text.empty()) {
    std::uint64_t from = 0;
    const char* const end = text.data() + text.size();
    const char* at = std::from_chars(text.data(), end, from).ptr;
    std::uint64_t to = from;
    if (at != end && *at == '-') at = std::from_chars(at + 1, end, to).ptr;
    if (from != 0 && from <= high && to >= low) {
      count += std::min(to, high) - std::max(from, low) + 1;
    }
    text = at == end ? std::string_view{} : std::string_view{at + 1, end};
  }
  return count;
}

}  // namespace

std::optional<port_range> ports_of(const system_facts& facts) {
  const auto range = facts.numbers("net.ipv4.ip_local_port_range");
  if (range.size() != 2 || range[1] < range[0]) return std::nullopt;
  const auto reserved = facts.sysctls.find("net.ipv4.ip_local_reserved_ports");
  return port_range{.low = range[0],
                    .high = range[1],
                    .reserved = reserved == facts.sysctls.end()
                                    ? 0
                                    : reserved_in(reserved->second, range[0], range[1])};
}

std::uint64_t default_time_wait_buckets(const system_facts& facts) {
  constexpr std::uint64_t usual = 131'072;
  const auto found = facts.sysctls.find("net.ipv4.tcp_ehash_entries");
  if (found == facts.sysctls.end()) return usual;
  // Negative in a namespace that shares the table of the first one.
  const bool shared = found->second.starts_with('-');
  const system_facts plain{.sysctls = {{"entries", found->second.substr(shared ? 1 : 0)}}};
  return plain.number("entries").value_or(2 * usual) / 2;
}

bool conntrack_is_active(const system_facts& facts) {
  return facts.number("net.netfilter.nf_conntrack_count").value_or(0) > 0;
}

std::string readable(double number) {
  if (number < 10 && number != std::floor(number)) {
    std::array<char, 32> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, 1);
    return {text.data(), end.ptr};
  }
  std::string text = std::to_string(static_cast<std::uint64_t>(std::llround(number)));
  for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, 1, ',');
  return text;
}

std::vector<limit> find_limits(const system_facts& facts, std::vector<std::string>& notes) {
  return limit_finder{facts, notes}.all();
}

}  // namespace dwell::inline v0
