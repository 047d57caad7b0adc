#include "admin/server_metrics.hpp"

#include <dwell/server/server.hpp>

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace dwell::inline v0 {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

double seconds(duration length) { return static_cast<double>(length.count()) / 1'000; }

MetricFamily counter(std::string name, std::string help, std::uint64_t value) {
  ClientMetric only;
  only.counter.value = static_cast<double>(value);
  return {std::move(name), std::move(help), MetricType::Counter, {std::move(only)}};
}

MetricFamily gauge(std::string name, std::string help, double value) {
  ClientMetric only;
  only.gauge.value = value;
  return {std::move(name), std::move(help), MetricType::Gauge, {std::move(only)}};
}

/// One counter for each value of an enumeration, also those still at 0, so that a rate of the first
/// one is seen.
template <class Enum, std::size_t count>
MetricFamily counters(std::string name, std::string help, std::string label,
                      const std::array<std::uint64_t, count>& values) {
  MetricFamily family{std::move(name), std::move(help), MetricType::Counter, {}};
  for (std::size_t i = 0; i < count; ++i) {
    ClientMetric& each = family.metric.emplace_back();
    each.label = {{label, std::string{to_string(static_cast<Enum>(i))}}};
    each.counter.value = static_cast<double>(values[i]);
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

std::vector<MetricFamily> server_metrics::Collect() const {
  const server_counts counts = observed_->counts();
  const bool ready = observed_->stage() == server_stage::running;
  return {
      gauge("dwell_ready", "1 while the server runs and does not drain.", ready ? 1 : 0),
      gauge("dwell_connections", "Connections whose descriptor is open.",
            static_cast<double>(counts.live)),
      gauge("dwell_connections_limit", "Connections that are let in at the same time.",
            static_cast<double>(observed_->capacity())),
      gauge("dwell_connections_waiting_for_frames",
            "Closed connections whose handler still runs; they count against the limit.",
            static_cast<double>(counts.waiting_for_frames)),
      counter("dwell_connections_opened_total", "Connections accepted and given to a handler.",
              counts.opened),
      counters<close_reason>("dwell_connections_closed_total", "Connections closed, by reason.",
                             "reason", counts.closed),
      counter("dwell_connections_evicted_total",
              "Idle connections closed to make room for new ones.", counts.evicted),
      counter("dwell_connections_refused_total", "Connections reset because there was no room.",
              counts.refused),
      counter("dwell_accept_failures_total",
              "Times that accept4 failed for want of descriptors or memory, and accepting paused.",
              counts.accept_failed),
      counter("dwell_reap_raced_total",
              "Connections whose peer sent while our FIN for an idle one was on its way.",
              counts.reap_raced),
      counters<time_wait>("dwell_time_wait_total",
                          "Connections closed, by the place where their TIME_WAIT is.", "place",
                          counts.time_wait),
      counter("dwell_time_wait_observed_total",
              "Of dwell_time_wait_total: seen in the socket's state. The rest is expected.",
              counts.observed),
      counter("dwell_exchanges_total", "Exchanges finished: a message and its answer.",
              counts.exchanges),
      counter("dwell_received_bytes_total", "Bytes received from peers.", counts.received),
      counter("dwell_sent_bytes_total", "Bytes sent to peers.", counts.sent),
      gauge("dwell_loops", "Loops, one thread each.", static_cast<double>(observed_->loops())),
      turns(counts),
      gauge("dwell_loop_longest_turn_seconds",
            "How long the loop that is busiest now has been in its turn.",
            seconds(counts.longest_turn_now)),
  };
}

}  // namespace dwell::inline v0
