#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace load {

/// What an interface of the calling thread's network has carried since it was made.
struct traffic {
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

/// nullopt: there is no such interface.
std::optional<traffic> traffic_of(const std::string& interface);

}  // namespace load
