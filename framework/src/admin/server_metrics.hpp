#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace dwell::inline v0 {

class server;
struct kernel_facts;
struct service_status;

/// A server's counters as Prometheus sees them. Labels are services, and values of enumerations:
/// their number is bounded.
std::vector<prometheus::MetricFamily> metrics_of(const server& observed);

/// What the kernel says of the server's network, and where ports were asked for, of them.
std::vector<prometheus::MetricFamily> metrics_of(const kernel_facts& kernel,
                                                 const std::vector<service_status>& services);

}  // namespace dwell::inline v0
