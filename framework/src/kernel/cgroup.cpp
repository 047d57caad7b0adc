#include "kernel/cgroup.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

namespace dwell::inline v0 {
namespace {

namespace fs = std::filesystem;

/// "max", or nothing there, is no limit; so is what v1 says for none, some 2^63.
std::optional<std::uint64_t> read_number(const fs::path& file) {
  std::ifstream in{file};
  std::uint64_t number = 0;
  if (!(in >> number) || number > (std::uint64_t{1} << 62U)) return std::nullopt;
  return number;
}

/// The path of this process in the hierarchy of a controller; in v2, where there is only one, of
/// none ("").
std::optional<std::string> path_in(const std::string& controller) {
  std::ifstream groups{"/proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    const std::size_t names = line.find(':') + 1;
    const std::size_t path = line.find(':', names) + 1;
    const std::string list = ',' + line.substr(names, path - names - 1) + ',';
    if (list == ",," ? controller.empty()
                     : list.find(',' + controller + ',') != std::string::npos) {
      return line.substr(path);
    }
  }
  return std::nullopt;
}

/// Calls `look` with the folder of the group and of each above it. In a container the path may be
/// that of the host; what is there then is looked at.
void each_group(const std::string& controller, const std::function<void(const fs::path&)>& look) {
  const auto path = path_in(controller);
  if (!path) return;
  for (const fs::path& mount :
       {fs::path{"/sys/fs/cgroup"} / controller, fs::path{"/sys/fs/cgroup/unified"}}) {
    if (!controller.empty() && mount.filename() == "unified") continue;
    for (fs::path group{*path}; group.has_relative_path(); group = group.parent_path()) {
      look(mount / group.relative_path());
    }
    look(mount);
  }
}

}  // namespace

std::optional<memory_limit> read_memory_limit() {
  std::optional<memory_limit> tightest;
  const auto look = [&](const fs::path& group, const char* limit_file, const char* usage_file) {
    const auto limit = read_number(group / limit_file);
    const auto usage = read_number(group / usage_file);
    if (!limit || !usage) return;
    const std::uint64_t free = *limit - std::min(*limit, *usage);
    if (!tightest || free < tightest->free) tightest = {free, (group / limit_file).string()};
  };
  each_group("", [&](const fs::path& group) { look(group, "memory.max", "memory.current"); });
  each_group("memory", [&](const fs::path& group) {
    look(group, "memory.limit_in_bytes", "memory.usage_in_bytes");
  });
  return tightest;
}

std::optional<double> read_cpu_quota() {
  std::optional<double> least;
  const auto note = [&](double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    least = std::min(least.value_or(quota / period), quota / period);
  };
  each_group("", [&](const fs::path& group) {
    std::ifstream file{group / "cpu.max"};
    double quota = 0;
    double period = 0;
    if (file >> quota >> period) note(quota, period);
  });
  each_group("cpu", [&](const fs::path& group) {
    const auto quota = read_number(group / "cpu.cfs_quota_us");
    const auto period = read_number(group / "cpu.cfs_period_us");
    if (quota && period) note(static_cast<double>(*quota), static_cast<double>(*period));
  });
  return least;
}

}  // namespace dwell::inline v0
