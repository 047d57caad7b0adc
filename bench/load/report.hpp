#pragma once

#include "result.hpp"

#include <span>
#include <string>

namespace load {

/// A report, and what it is called beside others.
struct named_report {
  std::string name;
  report content;
};

/// The report for people: one HTML file that needs no network, with charts if uPlot was there at
/// build time. It holds what it shows as JSON, which report_from_json reads again; of histograms
/// what their percentiles need.
std::string render_html(const report& only);
/// Several, side by side.
std::string render_html(std::span<const named_report> reports);

}  // namespace load
