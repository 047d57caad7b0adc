#pragma once

#include <dwell/server/pressure.hpp>

#include <prometheus/metric_family.h>

#include <vector>

namespace dwell::inline v0 {

/// The pressure ladder for /metrics. Its rungs are numbers, so that a rule can say "at least".
std::vector<prometheus::MetricFamily> pressure_metrics(const pressure_status& now);

}  // namespace dwell::inline v0
