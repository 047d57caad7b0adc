#include "table.hpp"

#include "words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace load {
namespace {

constexpr std::size_t name_width = 22;

class table {
 public:
  explicit table(const std::vector<run_result>& runs) : runs_{runs} {
    for (const run_result& run : runs) {
      widths_.push_back(std::max<std::size_t>(column_name(run.plan).size(), 12) + 3);
    }
  }

  using cell = std::function<std::string(const run_result&)>;

  /// Left out when all its cells are empty.
  void row(std::string_view name, const cell& of) {
    std::string line = fmt::format("{:<{}}", name, name_width);
    bool empty = true;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const std::string text = of(runs_[i]);
      empty = empty && text.empty();
      line += fmt::format("{:>{}}", text, widths_[i]);
    }
    if (!empty) text_ += line + "\n";
  }

  void latency(std::string_view name, const histogram latencies::*which) {
    static constexpr std::pair<double, std::string_view> shown[] = {
        {0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}, {1, "max"}};
    for (const auto& [quantile, label] : shown) {
      const std::string title =
          fmt::format("{:<16}{}", quantile == 0.5 ? name : std::string_view{}, label);
      row(title, [&, q = quantile](const run_result& run) {
        const histogram& of = run.latencies.*which;
        return of.count() == 0 ? std::string{} : in_words(of.at(q));
      });
    }
  }

  std::string take() && { return std::move(text_); }

 private:
  const std::vector<run_result>& runs_;
  std::vector<std::size_t> widths_;
  std::string text_;
};

std::string per_second(std::uint64_t count, const run_result& run) {
  if (run.measured_s <= 0) return "";
  const double rate = static_cast<double>(count) / run.measured_s;
  return with_commas(static_cast<std::uint64_t>(std::llround(rate)));
}

std::string count_or_none(std::uint64_t count) { return count == 0 ? "" : with_commas(count); }

void counts(table& to) {
  to.row("", [](const run_result& run) { return column_name(run.plan); });
  to.row("due, a second", [](const run_result& run) {
    return run.plan.arrival == arrival::closed ? "closed loop" : per_second(run.due, run);
  });
  to.row("answered, a second", [](const run_result& run) { return per_second(run.answered, run); });
  to.row("answered", [](const run_result& run) { return with_commas(run.answered); });
  to.row("unsent", [](const run_result& run) { return count_or_none(run.unsent); });
  to.row("sent over 1 ms late", [](const run_result& run) { return count_or_none(run.late); });
}

void errors(table& to, const std::vector<run_result>& runs) {
  std::set<std::string> classes;
  for (const run_result& run : runs) {
    for (const auto& [what, count] : run.errors) classes.insert(what);
  }
  if (classes.empty()) return to.row("errors", [](const run_result&) { return "none"; });
  for (const std::string& what : classes) {
    to.row("error: " + what, [&](const run_result& run) {
      const auto found = run.errors.find(what);
      return found == run.errors.end() ? std::string{} : with_commas(found->second);
    });
  }
}

void costs(table& to) {
  const auto each = [](const cpu_time& used, const run_result& run) {
    const double us = cpu_us_each(used, run.answered);
    return us == 0 ? std::string{} : in_words(us);
  };
  to.row("CPU each, client", [&](const run_result& run) { return each(run.client_cpu, run); });
  to.row("CPU each, server", [&](const run_result& run) {
    return run.server_cpu ? each(*run.server_cpu, run) : std::string{};
  });
  to.row("client busy",
         [](const run_result& run) { return fmt::format("{:.0f} %", run.client_busy * 100); });
  to.row("ports used, of", [](const run_result& run) {
    if (run.ports.peak == 0) return std::string{};
    return with_commas(run.ports.peak) + " / " + with_commas(run.ports.available);
  });
}

/// Each sentence once, with the runs that it is about.
std::string sentences(const std::vector<run_result>& runs, std::string_view title,
                      const std::vector<std::string> run_result::*which) {
  std::vector<std::pair<std::string, std::string>> said;
  for (const run_result& run : runs) {
    for (const std::string& sentence : run.*which) {
      const auto found = std::ranges::find(said, sentence, &decltype(said)::value_type::first);
      const std::string name = column_name(run.plan);
      if (found == said.end()) {
        said.emplace_back(sentence, name);
      } else {
        found->second += "; " + name;
      }
    }
  }
  std::string text;
  for (const auto& [sentence, names] : said) {
    text += fmt::format("{}: {}{}\n", title, sentence,
                        runs.size() > 1 ? fmt::format(" ({})", names) : "");
  }
  return text;
}

}  // namespace

std::string table_of(const std::vector<run_result>& runs) {
  table result{runs};
  counts(result);
  errors(result, runs);
  result.latency("request", &latencies::request);
  result.latency("naive", &latencies::naive);
  result.latency("connect", &latencies::connect);
  result.latency("first byte", &latencies::first_byte);
  costs(result);
  return std::move(result).take() + sentences(runs, "doubtful", &run_result::flags) +
         sentences(runs, "note", &run_result::notes);
}

}  // namespace load
