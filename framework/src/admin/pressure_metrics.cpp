#include "admin/pressure_metrics.hpp"

#include "admin/metric_family.hpp"

#include <string>

namespace dwell::inline v0 {

std::vector<prometheus::MetricFamily> pressure_metrics(const pressure_status& now) {
  auto used = gauge_family("dwell_pressure_used_ratio", "Share of each limit in use.");
  for (std::size_t i = 0; i < now.used.size(); ++i) {
    const std::string cause{to_string(static_cast<pressure_cause>(i))};
    add_sample(used, now.used[i] / 100.0, {{"cause", cause}});
  }
  auto reached = counter_family("dwell_pressure_reached_total",
                                "Times that a rung of the ladder was reached from below.");
  for (std::size_t i = 1; i < now.reached.size(); ++i) {
    const std::string level{to_string(static_cast<pressure_level>(i))};
    add_sample(reached, static_cast<double>(now.reached[i]), {{"level", level}});
  }
  return {with_sample(gauge_family("dwell_pressure_level",
                                   "0: normal, 1: idle deadlines are shorter, 2: idle connections "
                                   "are evicted, 3: accepting is paused, 4: clients are refused."),
                      static_cast<double>(now.level)),
          std::move(used), std::move(reached),
          with_sample(gauge_family("dwell_memory_bytes",
                                   "Buffers, sessions and coroutine frames of all loops."),
                      static_cast<double>(now.memory))};
}

}  // namespace dwell::inline v0
