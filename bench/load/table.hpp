#pragma once

#include "result.hpp"

#include <string>
#include <vector>

namespace load {

/// The results beside each other, for a terminal: a figure a line, a run a column; then what makes
/// them doubtful.
std::string table_of(const std::vector<run_result>& runs);

}  // namespace load
