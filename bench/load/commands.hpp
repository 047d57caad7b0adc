#pragma once

#include "plan.hpp"

#include <functional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

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

/// The flags that say what load is put on which server, for run and compare: `--target`, `--rate`,
/// `--even`, `--connections`, `--size`, `--source`, `--threads`, `--duration`, `--warmup`,
/// `--timeout`, `--seed`, `--server-pid`. Whoever needs a target looks whether `to.port` is 0.
/// `to` must outlive the App.
void add_plan_flags(CLI::App& app, plan& to);

/// A flag whose value is a time with its unit, as `500ms`. No default is shown: write it in `text`.
CLI::Option* add_time(CLI::App& app, const std::string& name, nanoseconds& to,
                      const std::string& text);

/// Throws std::invalid_argument, which names the flag and the fix, for what cannot be run: more
/// threads than connections, an ending that leaves nobody to close, ….
void check(const plan& of);

}  // namespace load
