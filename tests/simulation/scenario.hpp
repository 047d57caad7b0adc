#pragma once

#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

using namespace std::chrono_literals;

using dwell::close_method;
using dwell::close_reason;
using dwell::testing::peer;
using dwell::testing::simulation;

/// The order of what happens at one instant is the seed's: what is promised holds for each. Half of
/// them begin a minute before the clock's 32 bits wrap.
template <class Test>
void with_seeds(Test&& test, std::uint64_t count = 16) {
  for (std::uint64_t seed = 0; seed < count && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test(seed);
  }
}

inline dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// The same with callbacks.
inline dwell::callbacks<> echoing() {
  return {.on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
    peer.send(data);
    return data.size();
  }};
}

inline std::string pattern(std::size_t size) {
  std::string made(size, 0);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}
