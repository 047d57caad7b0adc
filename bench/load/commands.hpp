#pragma once

#include "plan.hpp"

#include <functional>

namespace CLI {
class App;
}

namespace load {

/// What main runs in the end; returns the exit code.
using action = std::function<int()>;

/// Exit codes, for scripts.
enum exit_code : int {
  done = 0,
  failed = 1,    ///< nothing was answered, or the server could not be reached
  usage = 2,     ///< wrong flags or files
  doubtful = 3,  ///< a result, but no verdict: its flags say why
};

// Each adds its subcommand, and sets `chosen` when that is the one given.
void add_run(CLI::App& app, action& chosen);
void add_compare(CLI::App& app, action& chosen);
void add_report(CLI::App& app, action& chosen);
void add_serve(CLI::App& app, action& chosen);
void add_self_test(CLI::App& app, action& chosen);

/// The flags that say what load is put on which server, for run and compare. `to` must outlive the
/// App.
void add_plan_flags(CLI::App& app, plan& to);

}  // namespace load
