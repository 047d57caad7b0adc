#pragma once

#include "result.hpp"

namespace load {

/// Sets report::verdict, or report::withheld, and report::remarks from the columns. The first
/// column is the long one; the first short one is what the verdict compares with it, the others are
/// remarked on. Pure.
///
/// Ratios are taken repeat by repeat, since those ran next to each other; what is said is the
/// median, and the range in brackets. A repeat in which a run was doubtful (run_result::flags) does
/// not count; with less than half of them left there is no verdict.
void conclude(report& about);

}  // namespace load
