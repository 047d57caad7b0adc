#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace load {

/// Numbers of processors.
using processors = std::vector<int>;

/// Those that a process, or the calling thread, may run on; none: it is gone.
processors usable_processors(pid_t process = 0);
/// Throws std::system_error.
void run_on(const processors& which);

/// "0,2-3".
std::string to_string(const processors& which);
/// Throws std::invalid_argument for what is not such a list.
processors parse_processors(const std::string& text);

}  // namespace load
