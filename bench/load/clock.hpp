#pragma once

#include "plan.hpp"

#include <chrono>

namespace load {

/// Of the steady clock.
inline nanoseconds now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace load
