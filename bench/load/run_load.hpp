#pragma once

#include "result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace load {

/// What is told while a run goes on, on the thread that called run_load(). Each may be empty.
struct run_listener {
  /// What stands in the way of a fair run; not called when nothing does.
  std::function<void(const std::vector<std::string>&)> on_warnings;
  /// A second is over; `so_far` has what was measured until then.
  std::function<void(const second&, const run_result& so_far)> on_second;
};

/// Puts the load, from threads of its own, and returns what it found, judged. Ends early when
/// interrupted() (interrupt.hpp); the result is then `partial`. A run without one answer is a
/// result too: its errors say why.
///
/// Throws std::invalid_argument for a plan that cannot be run, and std::runtime_error when at the
/// beginning no connection can be opened.
run_result run_load(const plan& of, const run_listener& listener = {});

}  // namespace load
