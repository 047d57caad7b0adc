#pragma once

#include "cpu_list.hpp"
#include "result.hpp"

#include <optional>
#include <sys/types.h>

namespace load {

/// CPU time of this process but for the calling thread, since it began.
cpu_time own_cpu_but_this_thread();

/// CPU time of a process and its children since they began: the total exact, the user part by the
/// kernel's ticks. nullopt: it is gone, or not ours to see.
std::optional<cpu_time> cpu_of(pid_t process);

/// Time that these processors have spent in softirq since the machine started, in ticks of 10 ms.
/// nullopt: not to be read.
std::optional<double> softirq_us(const processors& which);

}  // namespace load
