#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace dwell::inline v0 {

class server;

/// A server's counters as Prometheus sees them. Labels are those of enumerations: their number is
/// bounded.
class server_metrics final : public prometheus::Collectable {
 public:
  explicit server_metrics(const server& observed) noexcept : observed_{&observed} {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const server* observed_;
};

}  // namespace dwell::inline v0
