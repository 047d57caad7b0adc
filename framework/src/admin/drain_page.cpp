#include "admin/drain_page.hpp"

#include "admin/json_text.hpp"
#include "admin/metric_family.hpp"

#include <utility>

namespace dwell::inline v0 {

using nlohmann::ordered_json;

ordered_json describe(const drain_progress& progress) {
  ordered_json made;
  made["step"] = to_string(progress.step);
  made["connections"] = progress.connections;
  made["at_start"] = progress.at_start;
  made["crossed"] = progress.crossed;
  made["aborted"] = progress.aborted;
  made["elapsed_ms"] = progress.elapsed.count();
  made["left_ms"] = progress.left ? ordered_json(progress.left->count()) : ordered_json();
  return made;
}

std::string to_json(const drain_progress& progress) { return json_text(describe(progress)) + '\n'; }

std::vector<prometheus::MetricFamily> metrics_of(const drain_progress& progress) {
  auto steps = gauge_family("dwell_drain_step",
                            "1 for the step that the drain is in; `none`: it does not drain.");
  for (std::size_t i = 0; i < drain_step_count; ++i) {
    const auto each = static_cast<drain_step>(i);
    add_sample(steps, each == progress.step ? 1 : 0, {{"step", std::string{to_string(each)}}});
  }
  const auto seconds = static_cast<double>(progress.elapsed.count()) / 1'000;
  return {std::move(steps),
          with_sample(gauge_family("dwell_drain_seconds",
                                   "Since the drain began; once it has ended: how long it took."),
                      seconds),
          with_sample(counter_family("dwell_drain_aborted_total",
                                     "Connections reset because the drain took too long."),
                      static_cast<double>(progress.aborted))};
}

}  // namespace dwell::inline v0
