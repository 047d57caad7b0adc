#include "kernel/proc_text.hpp"

#include <charconv>

namespace dwell::inline v0 {
namespace {

/// Cuts off and returns what stands before `separator`; the rest when there is none.
std::string_view next(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

void add_sockstat(std::string_view text, socket_usage& usage) {
  while (!text.empty()) {
    std::string_view line = next(text, '\n');
    const std::string_view protocol = next(line, ':');
    if (protocol != "TCP" && protocol != "TCP6") continue;
    if (!line.empty()) line.remove_prefix(1);
    while (!line.empty()) {
      const std::string_view name = next(line, ' ');
      const auto value = static_cast<std::uint64_t>(number(next(line, ' ')));
      if (name == "inuse") usage.in_use += value;
      if (name == "orphan") usage.orphans += value;
      if (name == "tw") usage.time_wait += value;
      if (name == "alloc") usage.allocated += value;
      if (name == "mem") usage.memory_pages += value;
    }
  }
}

void add_counters(std::string_view text, std::vector<network_counter>& counters) {
  while (!text.empty()) {
    std::string_view names = next(text, '\n');
    std::string_view values = next(text, '\n');
    const std::string group{next(names, ':')};
    if (next(values, ':') != group) return;
    next(names, ' ');
    next(values, ' ');
    while (!names.empty()) {
      const std::string_view name = next(names, ' ');
      counters.push_back({group + '.' + std::string{name}, number(next(values, ' '))});
    }
  }
}

}  // namespace dwell::inline v0
