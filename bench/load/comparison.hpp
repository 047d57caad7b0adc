#pragma once

#include "plan.hpp"
#include "result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace load {

/// What is compared, and how thoroughly.
struct comparison {
  /// Rate, connections, sizes, times; what differs between the columns is not used.
  plan base = [] {
    plan of;
    of.warmup = std::chrono::milliseconds{500};
    of.duration = std::chrono::seconds{4};
    return of;
  }();
  bool self = false;
  std::vector<ending> endings;  ///< of the short columns; empty: what the server allows
  std::uint32_t repeats = 5;
  bool search = true;
  nanoseconds search_run = std::chrono::seconds{1};
  nanoseconds p99 = std::chrono::milliseconds{20};
  nanoseconds time_wait_run = std::chrono::seconds{64};
  std::string json = "report.json";
  std::string html = "report.html";
};

/// Runs it, with progress on standard error, and writes both files, also after an interrupt.
/// Returns an exit_code. Throws std::invalid_argument for what cannot be run.
int compare(comparison what);

}  // namespace load
