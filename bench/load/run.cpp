#include "commands.hpp"
#include "interrupt.hpp"
#include "result_json.hpp"
#include "run_load.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <memory>

namespace load {
namespace {

struct wish {
  load::plan plan;
};

int run(const wish& what) {
  catch_interrupt();
  const run_result result = run_load(what.plan);
  std::cout << to_json(result).dump(1) << '\n';
  return 0;
}

}  // namespace

void add_run(CLI::App& app, action& chosen) {
  CLI::App* const command = app.add_subcommand("run", "Put load on a server");
  const auto what = std::make_shared<wish>();
  add_plan_flags(*command, what->plan);
  command->add_option("--requests-per-connection", what->plan.requests_per_connection);
  command->add_flag_callback("--closed", [what] { what->plan.arrival = arrival::closed; });
  command->add_option_function<std::string>("--close", [what](const std::string& n) { parse(n, what->plan.ending); });
  command->callback([what, &chosen] { chosen = [what] { return run(*what); }; });
}

}  // namespace load
