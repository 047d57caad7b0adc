#pragma once

#include "result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace load {

/// What one thread counts between two hand-overs.
struct tally {
  bool warmup = false;
  bool last = false;
  nanoseconds ended_at{0};  ///< since the run's beginning
  load::latencies latencies;
  std::uint64_t due = 0;
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;  ///< requests; `errors` also has what happened to connections alone
  std::uint64_t unsent = 0;
  std::uint64_t late = 0;
  std::uint64_t abandoned = 0;  ///< sent, and under way when the run was interrupted
  std::uint64_t connected = 0;
  std::uint64_t open = 0;     ///< connections, at its end
  nanoseconds thread_cpu{0};  ///< used so far, at its end
  std::map<std::string, std::uint64_t, std::less<>> errors;
  std::string why_not_connected;  ///< the last failure, and what to do about it

  void count_error(std::string_view what);
  void clear();
};

/// Adds to the totals of a run: not for what was seen during the warm-up.
void add(run_result& to, const tally& from);
/// Adds another thread's share of the same second.
void add(tally& to, const tally& from);

}  // namespace load
