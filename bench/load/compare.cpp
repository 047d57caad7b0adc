#include "commands.hpp"
#include "comparison.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <sstream>

namespace load {
namespace {

std::vector<ending> parse_endings(const std::string& text) {
  std::vector<ending> endings;
  std::istringstream words{text};
  for (std::string word; std::getline(words, word, ',');) {
    ending one{};
    if (!parse(word, one)) {
      throw CLI::ValidationError{"--closes", '"' + word +
                                                 "\": use client, client-abort, server, "
                                                 "server-abort-after-fin, server-abort"};
    }
    endings.push_back(one);
  }
  if (endings.empty()) throw CLI::ValidationError{"--closes", "name one at least"};
  return endings;
}

void add_flags(CLI::App& command, comparison& what) {
  add_plan_flags(command, what.base);
  command.add_flag("--self", what.self,
                   "A server of its own for each run, in two fresh network namespaces");
  command
      .add_option_function<std::string>(
          "--protocol",
          [&what](const std::string& word) {
            if (!parse(word, what.base.protocol)) {
              throw CLI::ValidationError{"--protocol", '"' + word + "\": use echo or http"};
            }
          },
          "With --self: what is spoken [echo]")
      ->type_name("echo|http");
  command
      .add_option_function<std::string>(
          "--closes", [&what](const std::string& text) { what.endings = parse_endings(text); },
          "Who ends a short connection, a column for each "
          "[client,server,server-abort-after-fin; without --self: client]")
      ->type_name("WHO,…");
  command.add_option("--repeats", what.repeats, "Runs of each at the same rate, in turn")
      ->check(CLI::Range(1, 100))
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("!--no-search", what.search, "Do not look for the highest rate of each");
  add_time(command, "--search-run", what.search_run, "One run of that search [1s]");
  add_time(command, "--p99", what.p99, "A rate with a higher p99 is not sustained [20ms]");
  add_time(command, "--time-wait-run", what.time_wait_run,
           "At the end, one run of those that leave TIME_WAITs; 0s: none [64s]");
  command.add_option("--json", what.json, "Where the figures go")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--html", what.html, "Where the report for people goes")
      ->type_name("FILE")
      ->capture_default_str();
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  const auto what = std::make_shared<comparison>();
  CLI::App* const command =
      app.add_subcommand("compare", "Long against short connections; writes a report");
  add_flags(*command, *what);
  command->footer(
      "The same rate first, in turn, then the highest that each sustains, then TIME_WAIT over more "
      "than its 60 s. Ctrl-C leaves a report of what was complete.\n"
      "Exit codes: 0 a verdict, 1 failed, 2 wrong usage, 3 no verdict; the report says why.\n\n"
      "Examples:\n"
      "  dwell-load compare --self\n"
      "  dwell-load compare --self --protocol http --rate 2000 --closes client,server\n"
      "  dwell-load compare --target http://10.0.0.2/ --no-search --json nightly.json\n"
      "  dwell-load compare --self --repeats 3 --duration 2s --time-wait-run 0s   # half a minute");
  command->callback([what, &chosen] { chosen = [what] { return compare(*what); }; });
}

}  // namespace load
