#include "verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

namespace load {
namespace {

struct spread {
  double median = 0;
  double least = 0;
  double most = 0;
};

spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

using figure = std::function<std::optional<double>(const run_result&)>;

std::optional<double> cpu_us(const run_result& of) {
  if (!of.server_cpu || of.answered == 0) return std::nullopt;
  return (of.client_cpu.user_us + of.client_cpu.system_us + of.server_cpu->user_us +
          of.server_cpu->system_us) /
         static_cast<double>(of.answered);
}

std::optional<double> p99_us(const run_result& of) {
  if (of.latencies.request.count() == 0) return std::nullopt;
  return static_cast<double>(of.latencies.request.at(0.99).count()) / 1e3;
}

/// Of the repeats in which neither run was doubtful.
std::optional<spread> ratio(const column& over, const column& under, const figure& of) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(over.at_rate.size(), under.at_rate.size()); ++i) {
    const run_result& above = over.at_rate[i];
    const run_result& below = under.at_rate[i];
    if (!above.flags.empty() || !below.flags.empty()) continue;
    const std::optional<double> numerator = of(above);
    const std::optional<double> denominator = of(below);
    if (numerator && denominator && *denominator > 0) ratios.push_back(*numerator / *denominator);
  }
  return ratios.empty() ? std::nullopt : std::optional{spread_of(std::move(ratios))};
}

std::string times(const spread& of) { return fmt::format("{:.1f}×", of.median); }
std::string range(const spread& of) { return fmt::format("({:.1f} to {:.1f})", of.least, of.most); }

/// "short, client closes" as part of a sentence: "short connections (client closes)".
std::string in_a_sentence(const std::string& column_name) {
  const std::size_t comma = column_name.find(", ");
  if (comma == std::string::npos) return column_name + " connections";
  return fmt::format("{} connections ({})", column_name.substr(0, comma),
                     column_name.substr(comma + 2));
}

/// How many repeats of a column are not doubtful.
std::size_t clean(const column& of) {
  return static_cast<std::size_t>(
      std::ranges::count_if(of.at_rate, [](const run_result& run) { return run.flags.empty(); }));
}

/// The doubts of all runs, each once, with how many runs had it: figures in the text make two of
/// the same doubt differ, so only the first words are compared.
std::vector<std::string> doubts(const report& about) {
  std::vector<std::string> said;
  for (const column& each : about.columns) {
    const std::size_t runs = each.at_rate.size();
    const std::size_t doubtful = runs - clean(each);
    if (doubtful == 0) continue;
    const auto first = std::ranges::find_if(
        each.at_rate, [](const run_result& run) { return !run.flags.empty(); });
    said.push_back(fmt::format("{}: {} of {} runs were doubtful, the first since {}", each.name,
                               doubtful, runs, first->flags.front()));
  }
  return said;
}

/// At the column's rate, for want of local ports; measured where a run got there.
std::string running_out(const column& of) {
  const run_result* seen = of.time_wait ? &*of.time_wait : nullptr;
  if (seen != nullptr && seen->ports.exhausted_at_s) {
    return fmt::format("the client's ports run out after {:.0f} s", *seen->ports.exhausted_at_s);
  }
  if (seen == nullptr && !of.at_rate.empty()) seen = &of.at_rate.front();
  if (seen != nullptr && seen->ports.predicted_exhaustion_s) {
    return fmt::format("the client's {} ports would run out after {:.0f} s", seen->ports.available,
                       *seen->ports.predicted_exhaustion_s);
  }
  return {};
}

std::string sentence(const column& long_lived, const column& brief) {
  const std::optional<spread> cpu = ratio(brief, long_lived, cpu_us);
  const std::optional<spread> p99 = ratio(brief, long_lived, p99_us);
  const double rate = brief.at_rate.front().plan.rate;
  std::string text = fmt::format("At {:.0f} requests/s, {} cost ", rate, in_a_sentence(brief.name));
  if (cpu) text += fmt::format("{} the CPU {} and ", times(*cpu), range(*cpu));
  text += fmt::format("{} the p99 {} of long ones", times(*p99), range(*p99));
  if (const std::string out = running_out(brief); !out.empty()) text += "; " + out;
  return text + '.';
}

std::uint64_t time_waits(const end_sample& end) {
  const auto found = end.states.find("TIME-WAIT");
  return found == end.states.end() ? 0 : found->second;
}

/// The most at the same time, at either end.
std::pair<std::uint64_t, std::optional<std::uint64_t>> peak_time_waits(const run_result& of) {
  std::uint64_t client = 0;
  std::optional<std::uint64_t> server;
  for (const second& each : of.seconds) {
    client = std::max(client, time_waits(each.client));
    if (each.server) server = std::max(server.value_or(0), time_waits(*each.server));
  }
  return {client, server};
}

void remark_on_time_wait(const column& of, std::vector<std::string>& remarks) {
  if (of.at_rate.empty() || of.at_rate.front().plan.requests_per_connection == 0) return;
  const run_result& seen = of.time_wait ? *of.time_wait : of.at_rate.front();
  const auto [client, server] = peak_time_waits(seen);
  const double length_s = seen.seconds.empty() ? 0 : seen.seconds.back().at_s;
  const bool reached = length_s > 60;
  std::string text = fmt::format("{}: at most {} TIME_WAITs at the client", of.name, client);
  if (server) text += fmt::format(" and {} at the server", *server);
  text += fmt::format(" in a run of {:.0f} s", length_s);
  if (!reached && client + server.value_or(0) > 0) {
    text += ", still growing: each lasts 60 s";
  }
  const port_use& ports = seen.ports;
  if (ports.exhausted_at_s) {
    text += fmt::format("; the ports ran out after {:.1f} s", *ports.exhausted_at_s);
    if (ports.predicted_exhaustion_s) {
      text += fmt::format(" (the first seconds had said {:.1f} s)", *ports.predicted_exhaustion_s);
    }
  } else if (!ports.predicted_exhaustion_s && ports.available != 0 && reached) {
    text += fmt::format("; {} of {} ports were in use at most", ports.peak, ports.available);
  }
  remarks.push_back(text + '.');
}

void remark_on_highest(const report& about, std::vector<std::string>& remarks) {
  for (const column& each : about.columns) {
    if (each.search.empty()) continue;
    if (!each.highest_rate) {
      remarks.push_back(fmt::format("{}: no rate that was tried was sustained.", each.name));
      continue;
    }
    std::string text =
        fmt::format("{}: sustained {:.0f} requests/s at most", each.name, *each.highest_rate);
    const bool client_was_the_limit = std::ranges::any_of(each.search, [&](const run_result& run) {
      return run.plan.rate >= *each.highest_rate && run.client_busy > 0.8;
    });
    if (client_was_the_limit) {
      text += "; there the client was over 80 % busy, so the server may carry more";
    }
    const run_result& first = each.search.front();
    if (first.plan.ending == ending::client && first.plan.requests_per_connection != 0 &&
        !each.at_rate.empty() && each.at_rate.front().ports.available != 0) {
      const auto available = static_cast<double>(each.at_rate.front().ports.available);
      const double for_good =
          available / 60 * static_cast<double>(first.plan.requests_per_connection);
      text += fmt::format(
          ", for as long as ports last (the search had a wider range); for over 60 s {:.0f} ports "
          "carry {:.0f} requests/s",
          available, for_good);
    }
    remarks.push_back(text + '.');
  }
}

/// What is in the sentence for the first short column, for the others.
void remark_on_others(const report& about, std::vector<std::string>& remarks) {
  const column& long_lived = about.columns.front();
  for (std::size_t i = 2; i < about.columns.size(); ++i) {
    const column& each = about.columns[i];
    const std::optional<spread> p99 = ratio(each, long_lived, p99_us);
    if (!p99) continue;
    const std::optional<spread> cpu = ratio(each, long_lived, cpu_us);
    std::string text = each.name + ": ";
    if (cpu) text += fmt::format("{} the CPU {} and ", times(*cpu), range(*cpu));
    remarks.push_back(
        text + fmt::format("{} the p99 {} of {}.", times(*p99), range(*p99), long_lived.name));
  }
}

}  // namespace

void conclude(report& about) {
  about.verdict.clear();
  about.withheld.clear();
  const auto is_long = [](const column& each) {
    return !each.at_rate.empty() && each.at_rate.front().plan.requests_per_connection == 0;
  };
  const bool comparable =
      about.columns.size() >= 2 && is_long(about.columns[0]) && !about.columns[1].at_rate.empty();
  const std::vector<std::string> said = doubts(about);
  if (!comparable) {
    about.withheld.emplace_back("there are not both long and short connections to compare");
    return;
  }
  const column& long_lived = about.columns[0];
  const column& brief = about.columns[1];
  const auto too_few = [](const column& each) { return clean(each) * 2 <= each.at_rate.size(); };
  if (too_few(long_lived) || too_few(brief) || !ratio(brief, long_lived, p99_us)) {
    about.withheld = said;
  } else {
    about.verdict = sentence(long_lived, brief);
    for (const std::string& each : said) about.remarks.push_back(each + "; those do not count.");
  }
  remark_on_others(about, about.remarks);
  remark_on_highest(about, about.remarks);
  for (const column& each : about.columns) remark_on_time_wait(each, about.remarks);
}

}  // namespace load
