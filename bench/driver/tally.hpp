#pragma once
#include "clock.hpp"
#include "cpu.hpp"
#include "failures.hpp"
#include "latency.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <sys/types.h>

// What is counted while exchanges run.
struct tally {
  latency duration;  // of an exchange, from its intended start
  failure_counts failures{};
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  std::uint64_t late = 0;  // sent well after their intended start
  std::uint64_t received_bytes = 0;
  std::uint64_t ended_by_fin = 0;
  std::uint64_t ended_by_reset = 0;  // after the whole reply

  // Forgets everything and measures from now on. `server`: a process whose CPU time to report, or
  // 0.
  void begin(pid_t server);

  void describe(nlohmann::ordered_json& result) const;
  std::string line(nanoseconds at) const;  // for people, while it runs
  std::string first_failure() const;

 private:
  pid_t server_ = 0;
  nanoseconds began_ = 0;
  cpu_time own_before_, server_before_;
};
