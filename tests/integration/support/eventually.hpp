#pragma once

#include <chrono>
#include <thread>

namespace dwell {

/// Patience of a test that waits for something that must happen. Generous: it is used up only by a
/// failure.
inline constexpr std::chrono::seconds patience{15};

/// Waits until `condition` holds. False when it does not in time.
template <class Condition>
bool eventually(Condition&& condition, std::chrono::milliseconds within = patience) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

}  // namespace dwell
