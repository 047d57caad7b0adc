#pragma once

#include "plan.hpp"

namespace load {

/// From now on Ctrl-C (or SIGTERM) asks what runs to end; a second one ends the program. Does
/// nothing when it has been called before.
void catch_interrupt();
/// For whoever goes on after one.
void forget_interrupt();
bool interrupted() noexcept;
/// Until a time of the clock. False, at once: interrupted.
bool sleep_until(nanoseconds when) noexcept;

}  // namespace load
