#pragma once

#include <dwell/server/drain_progress.hpp>

#include <nlohmann/json_fwd.hpp>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace dwell::inline v0 {

nlohmann::ordered_json describe(const drain_progress& progress);
/// How far a drain is, as GET /drain answers it.
std::string to_json(const drain_progress& progress);

/// The same for Prometheus.
std::vector<prometheus::MetricFamily> metrics_of(const drain_progress& progress);

}  // namespace dwell::inline v0
