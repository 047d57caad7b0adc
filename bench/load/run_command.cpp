#include "commands.hpp"
#include "environment.hpp"
#include "hgrm.hpp"
#include "live.hpp"
#include "origin.hpp"
#include "result_json.hpp"
#include "run.hpp"
#include "self.hpp"
#include "table.hpp"
#include "words.hpp"

#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>

namespace load {
namespace {

constexpr const char* examples = R"(
Examples:
  dwell-load run --target echo://127.0.0.1:7777 --rate 5000
  dwell-load run --target http://127.0.0.1:8080/ --mode both --rate 2000 --duration 30s
  dwell-load run --target http://10.0.0.2/ --mode short --close server --source 10.0.0.64/26
  dwell-load run --target echo://127.0.0.1:7777 --requests-per-connection 100 --json result.json
  dwell-load run --self --mode both --rate 2000
  dwell-load run --target echo://127.0.0.1:7777 --closed --connections 1000

Latency counts from when a request was due, not from when it could be sent. Times take a unit (us,
ms, s, min), sizes may (kb, mb). Ctrl-C ends a run early; what it found is told, marked partial.
Exit codes: 0 done; 1 nothing was answered; 2 wrong flags; 3 done, but something makes the figures
doubtful, which is said.)";

enum class mode : std::uint8_t { long_lived, short_lived, both };

struct wish {
  load::plan plan;
  load::mode mode = mode::long_lived;
  bool closed = false;
  bool self = false;
  bool quiet = false;
  std::optional<std::string> json;  ///< "-": standard output
  std::string hgrm;
};

bool server_ends(ending how) { return how != ending::client && how != ending::client_abort; }

std::vector<plan> plans_of(const wish& what) {
  plan given = what.plan;
  if (what.closed) given.arrival = arrival::closed;
  if (given.requests_per_connection != 0) return {given};  // between the two
  plan long_lived = given;
  if (what.mode == mode::both && server_ends(long_lived.ending)) long_lived.ending = ending::client;
  plan short_lived = given;
  short_lived.requests_per_connection = 1;
  if (what.mode == mode::long_lived) return {long_lived};
  if (what.mode == mode::short_lived) return {short_lived};
  return {long_lived, short_lived};
}

void write_file(const std::string& name, const std::string& text) {
  std::ofstream file{name};
  file << text << std::flush;
  if (!file) throw std::runtime_error{name + ": cannot be written"};
}

/// x.hgrm of several runs: x.long.hgrm, x.short.hgrm.
std::string file_for(const std::string& name, const plan& of, bool alone) {
  if (alone) return name;
  const std::size_t dot = std::min(name.rfind('.'), name.size());
  std::string result = name.substr(0, dot);
  result += is_long(of) ? ".long" : ".short";
  result += name.substr(dot);
  return result;
}

run_result run_one(plan& of, const wish& what, report& into) {
  std::optional<own_server> server;
  if (what.self) server.emplace(of);
  check(of);
  if (into.columns.empty()) {
    into.environment = describe(of);
    if (server) {
      into.environment.link = server->link();
      into.environment.server = server->name();
    }
  }
  live_view view{of, what.quiet};
  run_result result = carry_out(
      of, [&](const second& one) { view.show(one); },
      [&](const std::string& warning) {
        if (!what.quiet) std::cerr << "warning: " << warning << '\n';
      });
  if (server) {
    result.flags.insert(result.flags.end(), server->doubts().begin(), server->doubts().end());
  }
  return result;
}

int exit_code_of(const std::vector<run_result>& runs) {
  int code = done;
  for (const run_result& each : runs) {
    if (each.answered == 0) return failed;
    if (!each.flags.empty() || each.partial) code = doubtful;
  }
  return code;
}

int run(const wish& what) {
  report all;
  all.command = command_line();
  all.written = utc_now();
  std::vector<run_result> runs;
  for (plan& of : std::vector<plan>{plans_of(what)}) {
    runs.push_back(run_one(of, what, all));
    column& its = all.columns.emplace_back();
    its.name = column_name(of);
    its.at_rate = {runs.back()};
    all.partial = runs.back().partial;
    if (all.partial) break;
  }
  if (what.json) {
    const std::string text = to_json(all).dump() + "\n";
    *what.json == "-" ? void(std::cout << text) : write_file(*what.json, text);
  }
  if (!what.hgrm.empty()) {
    for (const run_result& each : runs) {
      write_file(file_for(what.hgrm, each.plan, runs.size() == 1), to_hgrm(each.latencies.request));
    }
  }
  if (!what.json || *what.json != "-") std::cout << table_of(runs) << std::flush;
  return exit_code_of(runs);
}

void add_flags(CLI::App& app, wish& to) {
  add_plan_flags(app, to.plan);
  app.add_option("-m,--mode", to.mode,
                 "long: connections stay; short: one request each; both, one after the other")
      ->transform(CLI::CheckedTransformer(std::map<std::string, mode>{
          {"long", mode::long_lived}, {"short", mode::short_lived}, {"both", mode::both}}))
      ->type_name("long|short|both")
      ->default_str("long");
  app.add_option("-n,--requests-per-connection", to.plan.requests_per_connection,
                 "Between long and short: so many, then a new connection")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40))
      ->type_name("N")
      ->excludes("--mode");
  app.add_option_function<std::string>(
         "--close",
         [&to](const std::string& name) {
           if (!parse(name, to.plan.ending)) {
             throw CLI::ValidationError{"--close", name + " is none of its values"};
           }
         },
         "Who closes a connection after its last request")
      ->type_name("client|client-abort|server|server-abort-after-fin|server-abort")
      ->default_str("client");
  app.add_flag("--closed", to.closed,
               "Closed loop: each answer brings the next request, and a stall hides itself")
      ->excludes("--rate")
      ->excludes("--even");
  app.add_flag("--self", to.self,
               "A server of its own, in networks of its own where that is allowed")
      ->excludes("--target")
      ->excludes("--server-pid");
  app.add_option_function<std::string>(
         "--protocol",
         [&to](const std::string& name) {
           if (!parse(name, to.plan.protocol)) {
             throw CLI::ValidationError{"--protocol", name + " is none of its values"};
           }
         },
         "Of the own server; --target says it by its URL")
      ->type_name("echo|http")
      ->needs("--self");
  app.add_option("--json", to.json,
                 "The result as JSON, to a file or, without one, instead of the table")
      ->expected(0, 1)
      ->type_name("[FILE]");
  app.add_option("--hgrm", to.hgrm, "The distribution for HdrHistogram's plotter")
      ->type_name("FILE");
  app.add_flag("-q,--quiet", to.quiet, "Only the result");
}

}  // namespace

void add_run(CLI::App& app, action& chosen) {
  CLI::App* const command =
      app.add_subcommand("run", "Puts load on a server, and says what came of it.");
  command->footer(examples);
  const auto what = std::make_shared<wish>();
  add_flags(*command, *what);
  command->callback([what, &chosen] {
    if (what->json && what->json->empty()) what->json = "-";
    chosen = [what] { return run(*what); };
  });
}

}  // namespace load
