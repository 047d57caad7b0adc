#pragma once

#include "scenario.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <string>

/// The scenario's own dice, apart from the network's: SplitMix64.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed ^ 0x5DEECE66DU} {}
  std::uint64_t below(std::uint64_t bound) {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return (z ^ (z >> 31U)) % bound;
  }
  bool once_in(std::uint64_t n) { return below(n) == 0; }
  dwell::duration up_to(dwell::duration most) {
    return dwell::duration{
        static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count())))};
  }
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return all.begin()[below(all.size())];
  }

 private:
  std::uint64_t state_;
};

inline dwell::testing::faults random_faults(dice& random) {
  dwell::testing::faults made;
  if (random.once_in(2)) made.delay = random.up_to(100ms);
  if (random.once_in(3)) made.jitter = random.up_to(50ms);
  if (random.once_in(4)) made.loss = 0.05;
  if (random.once_in(4)) made.short_reads = 0.3;
  if (random.once_in(4)) made.short_writes = 0.3;
  if (random.once_in(6)) made.resets = 0.02;
  if (random.once_in(8)) made.accept_failures = 0.3;
  if (random.once_in(8)) made.watch_failures = 0.05;
  return made;
}

/// DWELL_SEED repeats one scenario, DWELL_SEEDS sets how many there are.
inline void run_scenarios(void (*run)(std::uint64_t), std::uint64_t count) {
  std::uint64_t from = 0;
  if (const char* set = std::getenv("DWELL_SEED")) {
    from = std::strtoull(set, nullptr, 10);
    count = 1;
  } else if (const char* many = std::getenv("DWELL_SEEDS")) {
    count = std::strtoull(many, nullptr, 10);
  }
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    SCOPED_TRACE("repeat with DWELL_SEED=" + std::to_string(seed));
    try {
      run(seed);
    } catch (const std::exception& failure) {
      ADD_FAILURE() << failure.what();
    }
    if (::testing::Test::HasFailure()) {
      std::cout << "repeat with DWELL_SEED=" << seed << '\n';
      return;
    }
  }
  std::cout << "seeds " << from << " to " << from + count - 1 << '\n';
}
