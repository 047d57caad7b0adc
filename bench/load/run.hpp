#pragma once

#include "plan.hpp"
#include "result.hpp"

#include <functional>

namespace load {

/// Carries out a plan; returns when it is over, judged. SIGINT and SIGTERM end it early, as a
/// partial result. `each_second` is called about once a second, on the calling thread, which is
/// the one that looks at the surroundings.
run_result carry_out(const plan& of, const std::function<void(const second&)>& each_second = {});

}  // namespace load
