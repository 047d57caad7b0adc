#include "kernel/listening_process.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

namespace fs = std::filesystem;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// What each descriptor of a process refers to: "socket:[1234]", a path. Empty when it may not be
/// seen.
std::vector<std::string> descriptors_of(const std::string& process) {
  std::vector<std::string> all;
  std::error_code error;
  for (fs::directory_iterator each{"/proc/" + process + "/fd", error}, end; !error && each != end;
       each.increment(error)) {
    std::error_code gone;
    all.push_back(fs::read_symlink(each->path(), gone).string());
  }
  return all;
}

std::string first_line(const std::string& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

/// The soft and hard limit in /proc/PID/limits.
void read_limits(const std::string& process, descriptor_facts& facts) {
  std::ifstream file{"/proc/" + process + "/limits"};
  constexpr std::string_view title = "Max open files";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(title)) continue;
    std::size_t end = 0;
    const std::string numbers = line.substr(title.size());
    facts.soft_limit = std::stoull(numbers, &end);
    facts.hard_limit = std::stoull(numbers.substr(end));
  }
}

/// Sockets that are not listeners are its connections.
std::uint64_t other_descriptors(const std::vector<std::string>& all,
                                const std::set<std::string>& listeners) {
  return static_cast<std::uint64_t>(std::ranges::count_if(all, [&](const std::string& one) {
    return !one.starts_with("socket:") || listeners.contains(one);
  }));
}

}  // namespace

descriptor_facts read_own_descriptors() {
  descriptor_facts facts;
  rlimit own{};
  ::getrlimit(RLIMIT_NOFILE, &own);
  facts.soft_limit = own.rlim_cur;
  facts.hard_limit = own.rlim_max;
  const std::size_t open = descriptors_of("self").size();
  facts.in_use = open > 0 ? open - 1 : 0;  // one was for looking
  return facts;
}

std::optional<descriptor_facts> find_listening_process(
    const std::vector<listener_view>& listeners) {
  std::set<std::string> wanted;
  for (const listener_view& each : listeners) {
    wanted.insert("socket:[" + std::to_string(each.inode) + ']');
  }
  std::error_code error;
  for (fs::directory_iterator each{"/proc", error}, end; !error && each != end;
       each.increment(error)) {
    const std::string process = each->path().filename().string();
    if (!is_number(process)) continue;
    const auto all = descriptors_of(process);
    const bool listens =
        std::ranges::any_of(all, [&](const std::string& one) { return wanted.contains(one); });
    if (!listens) continue;
    descriptor_facts facts;
    if (process == std::to_string(::getpid())) return read_own_descriptors();
    facts.process = first_line("/proc/" + process + "/comm") + " (pid " + process + ')';
    facts.in_use = other_descriptors(all, wanted);
    read_limits(process, facts);
    return facts;
  }
  return std::nullopt;
}

}  // namespace dwell::inline v0
