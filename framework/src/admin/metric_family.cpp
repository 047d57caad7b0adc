#include "admin/metric_family.hpp"

#include <nlohmann/json.hpp>
#include <prometheus/metric_type.h>

#include <utility>

namespace dwell::inline v0 {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily counter_family(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter, {}};
}

MetricFamily gauge_family(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

void add_sample(MetricFamily& to, double value, metric_labels labels) {
  prometheus::ClientMetric& sample = to.metric.emplace_back();
  sample.label = std::move(labels);
  if (to.type == MetricType::Counter) {
    sample.counter.value = value;
  } else {
    sample.gauge.value = value;
  }
}

MetricFamily with_sample(MetricFamily family, double value) {
  add_sample(family, value);
  return family;
}

std::string label_value(const std::string& text) {
  using nlohmann::json;
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace))
      .get<std::string>();
}

}  // namespace dwell::inline v0
