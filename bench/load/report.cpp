#include "report.hpp"

#include "page.hpp"
#include "result_json.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace load {
namespace {

using json = nlohmann::ordered_json;

/// The percentiles that the page shows: twenty to each nine, six nines, and those of the tables.
std::vector<double> shown_quantiles() {
  std::vector<double> all{0.5, 0.95, 0.99, 0.999, 1};
  for (int i = 0; i <= 120; ++i) all.push_back(1 - std::pow(10, -i / 20.0));
  std::ranges::sort(all);
  return all;
}

/// A histogram with the same values at these percentiles, and nothing in between: some 100 buckets
/// instead of thousands.
histogram thinned(const histogram& from, const std::vector<double>& quantiles) {
  std::vector<histogram::bucket> buckets;
  auto quantile = quantiles.begin();
  std::uint64_t seen = 0;
  std::uint64_t kept = 0;
  from.visit([&](nanoseconds middle, std::uint64_t count) {
    seen += count;
    const std::uint64_t before = kept;
    for (; quantile != quantiles.end(); ++quantile) {
      const double rank = std::ceil(*quantile * static_cast<double>(from.count()));
      if (rank > static_cast<double>(seen)) break;
      kept = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank));
    }
    if (kept > before)
      buckets.push_back({std::clamp(middle, from.min(), from.max()), kept - before});
  });
  histogram result;
  result.restore(buckets, from.min(), from.max(), from.mean_ns());
  return result;
}

void thin(latencies& all, const std::vector<double>& quantiles) {
  for (auto* one : {&all.request, &all.naive, &all.connect, &all.first_byte, &all.sent_late}) {
    *one = thinned(*one, quantiles);
  }
}

report thinned(report whole) {
  const std::vector<double> quantiles = shown_quantiles();
  for (column& mode : whole.columns) {
    for (run_result& run : mode.at_rate) thin(run.latencies, quantiles);
    for (run_result& run : mode.search) thin(run.latencies, quantiles);
    if (mode.time_wait) thin(mode.time_wait->latencies, quantiles);
  }
  return whole;
}

/// JSON that cannot end the element it stands in, whatever is in its strings. Outside of strings
/// JSON has none of these characters.
std::string script_safe(const json& data) {
  const std::string text = data.dump(-1, ' ', true, json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<': safe += "\\u003c"; break;
      case '>': safe += "\\u003e"; break;
      case '&': safe += "\\u0026"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '&': escaped += "&amp;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

/// What is filled in is not looked at again.
std::string filled(std::string_view page,
                   const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string result;
  while (!page.empty()) {
    std::size_t first = page.size();
    const std::pair<std::string_view, std::string>* next = nullptr;
    for (const auto& value : values) {
      const std::size_t at = page.find(value.first);
      if (at < first) {
        first = at;
        next = &value;
      }
    }
    result += page.substr(0, first);
    if (next == nullptr) break;
    result += next->second;
    page.remove_prefix(first + next->first.size());
  }
  return result;
}

std::string title_of(std::span<const named_report> reports) {
  if (reports.size() != 1) return "dwell-load: " + std::to_string(reports.size()) + " reports";
  const report& only = reports.front().content;
  if (!only.verdict.empty()) return only.verdict;
  return only.withheld.empty() ? "dwell-load: measured" : "dwell-load: no verdict";
}

}  // namespace

std::string render_html(const report& only) {
  const named_report one{"report", only};
  return render_html({&one, 1});
}

std::string render_html(std::span<const named_report> reports) {
  json data = json::array();
  for (const named_report& one : reports) {
    data.push_back({{"name", one.name}, {"report", to_json(thinned(one.content))}});
  }
  return filled(page(),
                {{"{{title}}", html_escaped(title_of(reports))}, {"{{data}}", script_safe(data)}});
}

}  // namespace load
