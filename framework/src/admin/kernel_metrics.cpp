#include <dwell/kernel/kernel_view.hpp>

#include "admin/kernel_source.hpp"
#include "admin/metric_family.hpp"
#include "admin/server_metrics.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace dwell::inline v0 {
namespace {

using prometheus::MetricFamily;

double as_double(std::uint64_t count) { return static_cast<double>(count); }

struct counter_name {
  std::string_view kernel;
  const char* metric;
  const char* help;
};
constexpr std::array<counter_name, 7> shown_counters{{
    {"TcpExt.ListenOverflows", "dwell_kernel_listen_overflows_total",
     "Connections that found an accept queue full."},
    {"TcpExt.ListenDrops", "dwell_kernel_listen_drops_total",
     "SYNs and last ACKs that listeners dropped, for whatever reason."},
    {"TcpExt.TCPReqQFullDrop", "dwell_kernel_request_queue_drops_total",
     "SYNs dropped because the queue of half-open connections was full."},
    {"TcpExt.SyncookiesSent", "dwell_kernel_syncookies_sent_total",
     "SYNs answered by a cookie because that queue was full."},
    {"TcpExt.TCPTimeWaitOverflow", "dwell_kernel_time_wait_overflows_total",
     "TIME_WAITs left out because there were tcp_max_tw_buckets of them."},
    {"Tcp.OutRsts", "dwell_kernel_resets_sent_total", "RSTs sent."},
    {"Tcp.RetransSegs", "dwell_kernel_retransmitted_segments_total", "Segments sent again."},
}};

constexpr std::array<std::pair<std::string_view, const char*>, 6> abort_causes{{
    {"TcpExt.TCPAbortOnData", "data"},
    {"TcpExt.TCPAbortOnClose", "close"},
    {"TcpExt.TCPAbortOnMemory", "memory"},
    {"TcpExt.TCPAbortOnTimeout", "timeout"},
    {"TcpExt.TCPAbortOnLinger", "linger"},
    {"TcpExt.TCPAbortFailed", "failed"},
}};

void add_network(const kernel_facts& kernel, std::vector<MetricFamily>& to) {
  const auto gauge = [&to](const char* name, const char* help, double value) {
    to.push_back(with_sample(gauge_family(name, help), value));
  };
  gauge("dwell_kernel_sockets_in_use", "TCP sockets of this network namespace, TIME_WAIT apart.",
        as_double(kernel.usage.in_use));
  gauge("dwell_kernel_time_wait",
        "Sockets of this network namespace in TIME_WAIT, or orphans in FIN_WAIT_2.",
        as_double(kernel.usage.time_wait));
  gauge("dwell_kernel_orphans", "TCP sockets of this machine that no descriptor refers to.",
        as_double(kernel.usage.orphans));
  gauge("dwell_kernel_tcp_memory_bytes", "Memory of this machine's TCP sockets.",
        as_double(kernel.usage.memory_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  for (const counter_name& each : shown_counters) {
    if (const auto value = kernel.counters.find(each.kernel)) {
      to.push_back(
          with_sample(counter_family(each.metric, each.help), static_cast<double>(*value)));
    }
  }
  MetricFamily aborts =
      counter_family("dwell_kernel_aborts_total",
                     "Connections that the kernel ended by itself, by why (TCPAbortOn*).");
  for (const auto& [name, cause] : abort_causes) {
    if (const auto value = kernel.counters.find(name)) {
      add_sample(aborts, static_cast<double>(*value), {{"cause", cause}});
    }
  }
  to.push_back(std::move(aborts));
}

/// A service's sockets, with those of others of its name.
struct named_sockets {
  tcp_state_counts states;
  std::uint64_t orphans = 0;
  std::uint64_t queued = 0;
  std::uint64_t limit = 0;
  double fullest = 0;

  void add(const port_view& seen) {
    states.add(seen.local);
    orphans += seen.orphans;
    for (const listener_view& each : seen.listeners) {
      queued += each.queued;
      limit += each.limit;
      // A queue takes one more than its limit.
      fullest = std::max(fullest, as_double(each.queued) / (as_double(each.limit) + 1));
    }
  }
};

void add_ports(const std::map<std::string, named_sockets>& services,
               std::vector<MetricFamily>& to) {
  MetricFamily states =
      gauge_family("dwell_kernel_sockets", "Sockets of the service's port, by their state in TCP.");
  MetricFamily orphans =
      gauge_family("dwell_kernel_port_orphans",
                   "Of those: closed here, and not yet by the peer (TIME_WAIT apart).");
  MetricFamily queued = gauge_family("dwell_kernel_accept_queue",
                                     "Connections that wait for accept, in all listeners' queues.");
  MetricFamily limit =
      gauge_family("dwell_kernel_accept_queue_limit", "How many may wait, in all of them.");
  MetricFamily fullest =
      gauge_family("dwell_kernel_accept_queue_fullest_ratio",
                   "How full the fullest of them is: at 1 connections are dropped.");
  for (const auto& [name, seen] : services) {
    const prometheus::ClientMetric::Label service{"service", name};
    for (std::size_t i = 0; i < tcp_state_count; ++i) {
      const auto state = static_cast<tcp_state>(i);
      if (state == tcp_state::closed) continue;  // not asked for
      add_sample(states, as_double(seen.states[state]),
                 {service, {"state", std::string{to_string(state)}}});
    }
    add_sample(orphans, as_double(seen.orphans), {service});
    add_sample(queued, as_double(seen.queued), {service});
    add_sample(limit, as_double(seen.limit), {service});
    add_sample(fullest, seen.fullest, {service});
  }
  for (MetricFamily* each : {&states, &orphans, &queued, &limit, &fullest}) {
    to.push_back(std::move(*each));
  }
}

}  // namespace

std::vector<MetricFamily> metrics_of(const kernel_facts& kernel,
                                     const std::vector<service_status>& services) {
  std::vector<MetricFamily> made;
  made.push_back(with_sample(gauge_family("dwell_kernel_up", "1 when the kernel could be asked."),
                             kernel.error.empty() ? 1 : 0));
  if (!kernel.error.empty()) return made;
  add_network(kernel, made);
  if (kernel.ports.empty()) return made;
  std::map<std::string, named_sockets> by_name;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (kernel.ports[i]) by_name[label_value(services[i].name)].add(*kernel.ports[i]);
  }
  add_ports(by_name, made);
  return made;
}

}  // namespace dwell::inline v0
