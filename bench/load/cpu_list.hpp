#pragma once

#include <string>
#include <vector>

namespace load {

/// Numbers of processors.
using processors = std::vector<int>;

/// Those that the calling thread may run on.
processors usable_processors();
/// Throws std::system_error.
void run_on(const processors& which);

/// "0,2-3".
std::string to_string(const processors& which);
/// Throws std::invalid_argument for what is not such a list.
processors parse_processors(const std::string& text);

}  // namespace load
