#pragma once

#include "result.hpp"

#include <cstdint>
#include <string>

namespace load {

// Figures as people read them in a terminal.

std::string with_commas(std::uint64_t value);  ///< "12,345"
/// "87 us", "1.23 ms", "4.50 s": three figures at most.
std::string in_words(nanoseconds duration);
inline std::string in_words(double us) {
  return in_words(nanoseconds{static_cast<std::int64_t>(us * 1e3)});
}
/// "long", "short, client closes", "10 requests each, server closes": a column's heading.
std::string column_name(const plan& of);
/// "open loop, Poisson, 2,000/s", "closed loop".
std::string load_name(const plan& of);
/// Of both its kinds, for each answer; 0 without answers.
double cpu_us_each(const cpu_time& used, std::uint64_t answered);

}  // namespace load
