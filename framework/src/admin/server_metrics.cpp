#include "admin/server_metrics.hpp"

#include <dwell/server/server.hpp>

#include "admin/metric_family.hpp"
#include "admin/pressure_metrics.hpp"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

namespace dwell::inline v0 {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using member = std::uint64_t connection_counts::*;

double seconds(duration length) { return static_cast<double>(length.count()) / 1'000; }
double as_double(std::uint64_t count) { return static_cast<double>(count); }

/// What the services of one name have counted: a name may be given twice, a series only once.
struct named_counts {
  std::string name;
  std::vector<connection_counts> all;

  double sum(const std::function<std::uint64_t(const connection_counts&)>& of) const {
    std::uint64_t total = 0;
    for (const connection_counts& each : all) total += of(each);
    return as_double(total);
  }
};

std::vector<named_counts> by_name(std::vector<service_status> services) {
  std::vector<named_counts> found;
  for (service_status& each : services) {
    std::string name = label_value(each.name);
    auto same = std::ranges::find(found, name, &named_counts::name);
    if (same == found.end()) same = found.insert(found.end(), {std::move(name), {}});
    same->all.push_back(each.counts);
  }
  return found;
}

/// A sample for each service.
MetricFamily each_service(MetricFamily family, const std::vector<named_counts>& services,
                          member which) {
  for (const named_counts& each : services) {
    add_sample(family, each.sum([which](const connection_counts& of) { return of.*which; }),
               {{"service", each.name}});
  }
  return family;
}

/// For each service one for each value of an enumeration, also those still at 0, so that a rate of
/// the first one is seen.
template <class Enum, std::size_t count>
MetricFamily each_service(MetricFamily family, const std::vector<named_counts>& services,
                          const char* label,
                          std::array<std::uint64_t, count> connection_counts::*which) {
  for (const named_counts& each : services) {
    for (std::size_t i = 0; i < count; ++i) {
      add_sample(family, each.sum([&](const connection_counts& of) { return (of.*which)[i]; }),
                 {{"service", each.name}, {label, std::string{to_string(static_cast<Enum>(i))}}});
    }
  }
  return family;
}

MetricFamily with_samples(MetricFamily family,
                          std::initializer_list<std::pair<const char*, std::uint64_t>> results) {
  for (const auto& [result, value] : results) {
    add_sample(family, as_double(value), {{"result", result}});
  }
  return family;
}

MetricFamily turns(const server_counts& counts) {
  ClientMetric::Histogram all;
  for (std::size_t i = 0; i < counts.turns.size(); ++i) {
    all.sample_count += counts.turns[i];
    const double bound =
        i < turn_bounds.size() ? turn_bounds[i] / 1'000.0 : std::numeric_limits<double>::infinity();
    all.bucket.push_back({all.sample_count, bound});
  }
  all.sample_sum = seconds(counts.busy);
  ClientMetric only;
  only.histogram = std::move(all);
  return {"dwell_loop_turn_seconds",
          "Turns of the loops by how long they took, to the millisecond.",
          MetricType::Histogram,
          {std::move(only)}};
}

}  // namespace

std::vector<MetricFamily> metrics_of(const server& observed) {
  const server_counts counts = observed.counts();
  const std::vector<named_counts> services = by_name(observed.services());
  const bool ready = observed.stage() == server_stage::running;
  const auto gauge = [](std::string name, std::string help, double value) {
    return with_sample(gauge_family(std::move(name), std::move(help)), value);
  };
  const auto count = [&](std::string name, std::string help, member which) {
    return each_service(counter_family(std::move(name), std::move(help)), services, which);
  };
  std::vector<MetricFamily> all{
      gauge("dwell_ready", "1 while the server runs and does not drain.", ready ? 1 : 0),
      each_service(gauge_family("dwell_connections", "Connections whose descriptor is open."),
                   services, &connection_counts::live),
      gauge("dwell_connections_limit", "Connections that are let in at the same time.",
            as_double(observed.capacity())),
      each_service(
          gauge_family(
              "dwell_connections_waiting_for_frames",
              "Closed connections whose handler still runs; they count against the limit."),
          services, &connection_counts::waiting_for_frames),
      count("dwell_connections_opened_total", "Connections accepted and given to a handler.",
            &connection_counts::opened),
      each_service<close_reason>(
          counter_family("dwell_connections_closed_total", "Connections closed, by reason."),
          services, "reason", &connection_counts::closed),
      each_service<close_method>(
          counter_family("dwell_close_methods_total",
                         "Connections closed, by the method that was carried out."),
          services, "method", &connection_counts::methods),
      count("dwell_connections_evicted_total", "Idle connections closed to make room for new ones.",
            &connection_counts::evicted),
      count("dwell_connections_refused_total", "Connections not let in: there was no room.",
            &connection_counts::refused),
      count("dwell_connections_over_address_limit_total",
            "Connections refused, or behind a proxy closed, because their address has too many.",
            &connection_counts::over_address_limit),
      count("dwell_connections_shrunk_total",
            "Idle connections closed before deadlines.idle, by pressure.",
            &connection_counts::shrunk),
      with_sample(counter_family("dwell_reaped_later_total",
                                 "Connections that were closed later than their deadline, for "
                                 "pressure_options::reap_rate."),
                  as_double(counts.reaped_later)),
      count("dwell_connections_held_total",
            "Connections that a handler kept open, idle, for deadlines.close after the peer's FIN.",
            &connection_counts::held),
      count("dwell_frames_held_total",
            "Handlers that still ran deadlines.close after their connection had closed.",
            &connection_counts::frames_held),
      with_sample(counter_family("dwell_accept_failures_total",
                                 "Times that accept4 failed for want of descriptors or memory, and "
                                 "accepting paused."),
                  as_double(counts.accept_failed)),
      count("dwell_reap_raced_total", "Connections whose peer sent while our FIN was on its way.",
            &connection_counts::reap_raced),
      each_service<time_wait>(
          counter_family("dwell_time_wait_total",
                         "Connections closed, by the place where their TIME_WAIT is."),
          services, "place", &connection_counts::time_wait),
      count("dwell_time_wait_observed_total",
            "Of dwell_time_wait_total: seen in the socket's state. The rest is expected.",
            &connection_counts::observed),
      each_service<handshake_result>(
          counter_family("dwell_tls_handshakes_total", "TLS handshakes, by how they ended."),
          services, "result", &connection_counts::handshakes),
      each_service<proxy_header_result>(
          counter_family("dwell_proxy_headers_total",
                         "Connections that had to begin with a PROXY header, by what came of it."),
          services, "result", &connection_counts::proxy_headers),
      with_samples(counter_family("dwell_certificate_reloads_total",
                                  "Times that certificates were read again, by whether all could "
                                  "be used; else those of before stay."),
                   {{"ok", counts.reloaded}, {"failed", counts.not_reloaded}}),
      count("dwell_exchanges_total", "Exchanges finished: a message and its answer.",
            &connection_counts::exchanges),
      count("dwell_received_bytes_total", "Bytes received from peers.",
            &connection_counts::received),
      count("dwell_sent_bytes_total", "Bytes sent to peers.", &connection_counts::sent),
      gauge("dwell_loops", "Loops, one thread each.", as_double(observed.loops())),
      turns(counts),
      gauge("dwell_loop_longest_turn_seconds",
            "How long the loop that is busiest now has been in its turn.",
            seconds(counts.longest_turn_now)),
  };
  std::ranges::move(pressure_metrics(observed.pressure()), std::back_inserter(all));
  return all;
}

}  // namespace dwell::inline v0
