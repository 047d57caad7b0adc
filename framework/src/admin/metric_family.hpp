#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace dwell::inline v0 {

using metric_labels = std::vector<prometheus::ClientMetric::Label>;

/// A family without samples yet. By Prometheus' conventions a counter's name ends in `_total`.
prometheus::MetricFamily counter_family(std::string name, std::string help);
prometheus::MetricFamily gauge_family(std::string name, std::string help);

/// One more sample of a family; its labels tell it from the others.
void add_sample(prometheus::MetricFamily& to, double value, metric_labels labels = {});

prometheus::MetricFamily with_sample(prometheus::MetricFamily family, double value);

/// A label's value as Prometheus takes it: what is not UTF-8 is replaced.
std::string label_value(const std::string& text);

}  // namespace dwell::inline v0
