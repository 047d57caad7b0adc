#pragma once

#include <chrono>
#include <cstdint>

namespace dwell::inline v0 {

/// Milliseconds of std::chrono::steady_clock, rounded down, so that a deadline that compares with
/// it is never early. Only this file of the framework reads a clock.
inline std::uint64_t read_clock() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

/// For people: it may jump, and no deadline looks at it.
inline std::chrono::sys_time<std::chrono::milliseconds> read_wall_clock() noexcept {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace dwell::inline v0
