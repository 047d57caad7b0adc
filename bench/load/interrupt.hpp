#pragma once

#include "plan.hpp"

namespace load {

/// From now on Ctrl-C (or SIGTERM) asks the run to end; a second one ends the program.
void catch_interrupt();
bool interrupted() noexcept;
/// Until a time of the clock. False, at once: interrupted.
bool sleep_until(nanoseconds when) noexcept;

}  // namespace load
