#include "cpu.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace load {
namespace {

double in_us(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

cpu_time usage_of(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return {in_us(usage.ru_utime), in_us(usage.ru_stime)};
}

double tick_us() {
  static const double length = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return length;
}

/// Without its children.
std::optional<cpu_time> cpu_of_one(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  const double total =
      static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  // proc(5): utime and stime are fields 14 and 15; the first one after the name is field 3.
  std::istringstream rest{text.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  const double ticks = user + system;
  const double user_us = std::min(ticks == 0 ? 0 : total * user / ticks, total);
  return cpu_time{user_us, total - user_us};
}

}  // namespace

cpu_time own_cpu_but_this_thread() {
  const cpu_time all = usage_of(RUSAGE_SELF);
  const cpu_time thread = usage_of(RUSAGE_THREAD);
  return {std::max(0.0, all.user_us - thread.user_us),
          std::max(0.0, all.system_us - thread.system_us)};
}

std::optional<cpu_time> cpu_of(pid_t process) {
  std::optional<cpu_time> sum = cpu_of_one(process);
  if (!sum) return std::nullopt;
  const std::string id = std::to_string(process);
  std::ifstream children{"/proc/" + id + "/task/" + id + "/children"};
  for (pid_t child = 0; children >> child;) {
    const std::optional<cpu_time> part = cpu_of(child);
    if (!part) continue;
    sum->user_us += part->user_us;
    sum->system_us += part->system_us;
  }
  return sum;
}

std::optional<double> softirq_us(const processors& which) {
  std::ifstream file{"/proc/stat"};
  std::string line;
  double ticks = 0;
  bool seen = false;
  while (std::getline(file, line)) {
    std::istringstream fields{line};
    std::string name;
    fields >> name;
    if (!name.starts_with("cpu")) break;
    if (name == "cpu" || std::ranges::find(which, std::stoi(name.substr(3))) == which.end()) {
      continue;
    }
    // proc(5): user nice system idle iowait irq softirq
    double value = 0;
    for (int field = 0; field < 7; ++field) fields >> value;
    ticks += value;
    seen = true;
  }
  return seen ? std::optional{ticks * tick_us()} : std::nullopt;
}

}  // namespace load
