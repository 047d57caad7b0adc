#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dwell::inline v0 {

struct memory_limit {
  std::uint64_t free = 0;  ///< bytes
  std::string name;        ///< the file that says so
};

/// The tightest memory limit of this process's control group and those above it, cgroup v1 or v2.
/// nullopt: none.
std::optional<memory_limit> read_memory_limit();

/// CPUs of a quota, likewise.
std::optional<double> read_cpu_quota();

}  // namespace dwell::inline v0
