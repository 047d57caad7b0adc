#pragma once

#include <chrono>
#include <cstdint>

namespace dwell::inline v0 {

/// Milliseconds of std::chrono::steady_clock, rounded down, so that a deadline that compares with
/// it is never early. The only place in the framework that reads a clock.
inline std::uint64_t read_clock() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace dwell::inline v0
