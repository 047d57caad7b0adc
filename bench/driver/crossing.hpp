#pragma once
#include "clock.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>

// A client that sends more while a large reply to its request is still in flight.
struct crossing_options {
  std::string to;
  std::size_t size = 1'000'000;  // of the request and its reply
  std::size_t extra = 5;
  // Try i of n sends the extra bytes when i/n of the reply has been read and reading has paused for
  // so long: the server may have finished by then, at one point or another.
  nanoseconds pause = 20 * millisecond;
  std::size_t tries = 20;
  nanoseconds timeout = 10 * second;
};

nlohmann::ordered_json run_crossing(const crossing_options& options);
