#include "cpu.hpp"

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace {

nanoseconds total_of(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return time.tv_sec * second + time.tv_nsec;
}

}  // namespace

cpu_time own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {total_of(getpid()),
          usage.ru_utime.tv_sec * second + usage.ru_utime.tv_usec * microsecond};
}

cpu_time cpu_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  // proc(5): utime is field 14; the first one after the name is field 3.
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  nanoseconds user_ticks = 0;
  fields >> user_ticks;
  return {total_of(process), user_ticks * (second / sysconf(_SC_CLK_TCK))};
}
