#include "surroundings.hpp"

#include <dwell/kernel/kernel_view.hpp>

#include "cpu.hpp"
#include "networks.hpp"
#include "packets.hpp"
#include "preflight.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

namespace load {
namespace {

/// As `ss` writes them, in the order of dwell::tcp_state.
constexpr std::array<std::string_view, dwell::tcp_state_count> ss_names{
    "LISTEN",     "SYN-SENT", "SYN-RECV", "ESTAB",     "FIN-WAIT-1", "FIN-WAIT-2",
    "CLOSE-WAIT", "CLOSING",  "LAST-ACK", "TIME-WAIT", "UNCONN"};

std::map<std::string, std::uint64_t> by_name(const dwell::tcp_state_counts& counts) {
  std::map<std::string, std::uint64_t> named;
  for (std::size_t i = 0; i < ss_names.size(); ++i) {
    const auto state = static_cast<dwell::tcp_state>(i);
    if (state != dwell::tcp_state::listen && counts[state] != 0) {
      named[std::string{ss_names[i]}] = counts[state];
    }
  }
  return named;
}

/// What has come since the call before, of figures that only grow.
class cpu_since {
 public:
  explicit cpu_since(std::optional<cpu_time> start) : before_{start} {}
  std::optional<cpu_time> operator()(std::optional<cpu_time> now) {
    const std::optional<cpu_time> before = std::exchange(before_, now);
    if (!before || !now) return std::nullopt;
    // The user part is a share of the ticks, and may fall a little where the total does not.
    const double total =
        std::max(0.0, now->user_us + now->system_us - before->user_us - before->system_us);
    const double user = std::clamp(now->user_us - before->user_us, 0.0, total);
    return cpu_time{user, total - user};
  }

 private:
  std::optional<cpu_time> before_;
};

class softirq_since {
 public:
  explicit softirq_since(processors of) : of_{std::move(of)}, before_{softirq_us(of_)} {}
  std::optional<double> operator()() {
    const std::optional<double> now = softirq_us(of_);
    const std::optional<double> before = std::exchange(before_, now);
    if (!before || !now) return std::nullopt;
    return *now - *before;
  }

 private:
  processors of_;
  std::optional<double> before_;
};

cpu_time sum_of(const std::vector<second>& seconds, bool of_server, bool& complete) {
  cpu_time sum;
  for (const second& each : seconds) {
    if (each.warmup) continue;
    if (of_server && !each.server) {
      complete = false;
      continue;
    }
    const std::optional<cpu_time>& part = of_server ? each.server->cpu : each.client.cpu;
    if (!part) {
      complete = false;
      continue;
    }
    sum.user_us += part->user_us;
    sum.system_us += part->system_us;
  }
  return sum;
}

}  // namespace

struct surroundings::ends {
  explicit ends(const plan& of) : port{of.port}, server{of.server}, found{examine(of, look(of))} {
    const std::optional<way_out> way = way_to(of.host, of.port);
    if (way) interface = way->interface;
    traffic_before = traffic_of(interface);
    if (!traffic_before) {
      unseen.push_back("packets and bytes were not counted: no interface of ours has the way to " +
                       of.host);
    }
    find_server(way && way->within_this_network);
  }

  void find_server(bool in_this_network) {
    server_cpu = cpu_since{server ? cpu_of(*server) : std::nullopt};
    server_softirq.emplace(server ? usable_processors(*server) : processors{});
    sees_server = in_this_network;
    if (!server) {
      if (!in_this_network) {
        unseen.emplace_back(
            "the server's end was not looked at: its process is not known here (--server-pid)");
      }
      return;
    }
    const std::optional<bool> shared = shares_network(*server);
    sees_server = shared == true;
    if (sees_server) return;
    try {
      in_network_of(*server, [this] { server_kernel.emplace(); });
      sees_server = true;
    } catch (const std::system_error& refused) {
      unseen.push_back(std::string{"the server's sockets were not looked at: "} + refused.what());
    }
  }

  void look_at_client(second& into) {
    // Both ends at once where they are in one network: the walk over all sockets is what costs.
    const bool both = sees_server && !server_kernel;
    const dwell::port_view seen =
        kernel.port(port, both ? dwell::port_of::either_end : dwell::port_of::remote_end);
    into.client.states = by_name(seen.remote);
    into.client.cpu = client_cpu(own_cpu_but_this_thread());
    into.client.softirq_us = client_softirq();
    into.ports_used = seen.remote.total();
    if (both) into.server.emplace().states = by_name(seen.local);
  }

  void look_at_server(second& into) {
    if (!sees_server && !server) return;
    if (!into.server) into.server.emplace();
    if (server_kernel) {
      into.server->states = by_name(server_kernel->port(port, dwell::port_of::local_end).local);
    }
    if (!server) return;
    into.server->cpu = server_cpu(cpu_of(*server));
    into.server->softirq_us = (*server_softirq)();
  }

  void look_at_traffic(second& into) {
    const std::optional<traffic> now = traffic_of(interface);
    if (now && traffic_before) {
      into.packets_sent = now->packets_sent - traffic_before->packets_sent;
      into.packets_received = now->packets_received - traffic_before->packets_received;
      into.bytes_sent = now->bytes_sent - traffic_before->bytes_sent;
      into.bytes_received = now->bytes_received - traffic_before->bytes_received;
    }
    traffic_before = now;
  }

  std::uint16_t port;
  std::optional<pid_t> server;
  preflight found;
  std::vector<std::string> unseen;
  dwell::kernel_view kernel;
  std::optional<dwell::kernel_view> server_kernel;  // of the server's network, where it is another
  bool sees_server = false;
  cpu_since client_cpu{own_cpu_but_this_thread()};
  softirq_since client_softirq{usable_processors()};
  cpu_since server_cpu{std::nullopt};
  std::optional<softirq_since> server_softirq;
  std::string interface;
  std::optional<traffic> traffic_before;
  std::vector<std::string> warnings;
};

surroundings::surroundings(const plan& of) : ends_{std::make_unique<ends>(of)} {
  ends_->warnings = ends_->found.flags;
  ends_->warnings.insert(ends_->warnings.end(), ends_->found.notes.begin(),
                         ends_->found.notes.end());
}

surroundings::~surroundings() = default;

const std::vector<std::string>& surroundings::warnings() const noexcept { return ends_->warnings; }

void surroundings::sample(second& into) {
  ends_->look_at_client(into);
  ends_->look_at_server(into);
  ends_->look_at_traffic(into);
}

void surroundings::complete(run_result& result) {
  const auto append = [](std::vector<std::string>& to, const std::vector<std::string>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(result.flags, ends_->found.flags);
  append(result.notes, ends_->found.notes);
  append(result.notes, ends_->unseen);
  bool complete = true;
  result.client_cpu = sum_of(result.seconds, false, complete);
  complete = !result.seconds.empty();
  const cpu_time server = sum_of(result.seconds, true, complete);
  if (complete) result.server_cpu = server;
  account_ports(result, ends_->found.ports);
}

}  // namespace load
