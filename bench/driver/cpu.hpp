#pragma once
#include "clock.hpp"

#include <sys/types.h>

// CPU time that a process has used, all its threads. The total is exact; the user part is counted
// by the kernel at its timer ticks (4 ms on most systems): trust it over seconds only.
struct cpu_time {
  nanoseconds total = 0;
  nanoseconds user = 0;

  friend cpu_time operator-(cpu_time a, cpu_time b) { return {a.total - b.total, a.user - b.user}; }
};

cpu_time own_cpu();
cpu_time cpu_of(pid_t process);  // zero when there is no such process
