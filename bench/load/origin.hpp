#pragma once

#include <string>

namespace load {

// Where and when a report was made.

std::string command_line();  ///< of this process; arguments that a shell would split are in quotes
std::string utc_now();       ///< ISO 8601: "2024-05-06T07:08:09Z"

}  // namespace load
