#include "cpu_list.hpp"

#include <cerrno>
#include <charconv>
#include <sched.h>
#include <stdexcept>
#include <system_error>

namespace load {
namespace {

int number_in(std::string_view text, const std::string& whole) {
  int value = -1;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size() || value < 0 ||
      value >= CPU_SETSIZE) {
    throw std::invalid_argument{"processors \"" + whole + "\": give numbers as 0,2-3"};
  }
  return value;
}

}  // namespace

processors usable_processors(pid_t process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  processors usable;
  if (::sched_getaffinity(process, sizeof set, &set) != 0) return usable;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &set)) usable.push_back(i);
  }
  return usable;
}

void run_on(const processors& which) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int one : which) CPU_SET(static_cast<std::size_t>(one), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw std::system_error{errno, std::generic_category(),
                            "cannot run on processors " + to_string(which)};
  }
}

std::string to_string(const processors& which) {
  std::string text;
  for (std::size_t i = 0; i < which.size(); ++i) {
    std::size_t last = i;
    while (last + 1 < which.size() && which[last + 1] == which[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text.append(std::to_string(which[i]));
    if (last != i) text.append("-").append(std::to_string(which[last]));
    i = last;
  }
  return text;
}

processors parse_processors(const std::string& text) {
  processors which;
  std::string_view rest = text;
  do {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const std::size_t dash = part.find('-');
    const int first = number_in(part.substr(0, dash), text);
    const int last =
        dash == std::string_view::npos ? first : number_in(part.substr(dash + 1), text);
    for (int one = first; one <= last; ++one) which.push_back(one);
  } while (!rest.empty());
  return which;
}

}  // namespace load
