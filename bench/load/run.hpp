#pragma once

#include "plan.hpp"
#include "result.hpp"

#include <functional>
#include <string>

namespace load {

/// Carries out a plan, on threads of its own; returns when it is over, judged. A run without one
/// answer is a result too: its errors say why. SIGINT and SIGTERM end it early, as a partial
/// result (interrupt.hpp). `each_second` is called about once a second, on the calling thread,
/// which is the one that looks at the surroundings; `warn` before the beginning, when something
/// stands in the way of a fair run.
///
/// Throws std::invalid_argument for a plan that cannot be run (check()), and std::runtime_error
/// when at the beginning no connection can be opened.
run_result carry_out(const plan& of, const std::function<void(const second&)>& each_second = {},
                     const std::function<void(const std::string&)>& warn = {});

}  // namespace load
