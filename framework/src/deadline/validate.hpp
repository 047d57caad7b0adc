#pragma once

#include <dwell/deadline/deadlines.hpp>

namespace dwell::inline v0 {

/// The longest deadline: 24 days, the whole days in the 31 bits that a signed difference of ticks
/// has.
inline constexpr duration longest_deadline = std::chrono::days{24};

/// Throws `std::invalid_argument` for the first field that is zero, negative, or over 24 days;
/// the message names the field, its value and the fix.
void validate(const deadlines& given);

}  // namespace dwell::inline v0
