#pragma once
#include <chrono>
#include <cstdint>

// Nanoseconds of the steady clock.
using nanoseconds = std::int64_t;

constexpr nanoseconds microsecond = 1'000;
constexpr nanoseconds millisecond = 1'000'000;
constexpr nanoseconds second = 1'000'000'000;

inline nanoseconds now() {
  using namespace std::chrono;
  return duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch()).count();
}
