#include "ports.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace load {
namespace {

constexpr double time_wait_s = 60;  // TCP_TIMEWAIT_LEN, a constant of Linux
constexpr double look_s = 10;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double used_in(const second& at) { return at.ports_used ? static_cast<double>(*at.ports_used) : 0; }

/// Ports in use, as a line through what was seen.
struct growth {
  double at_s = 0;  ///< of the last point
  double used = 0;
  double per_s = 0;
};

std::optional<growth> first_growth(const std::vector<second>& seconds, double available) {
  std::vector<const second*> seen;
  for (const second& each : seconds) {
    if (!each.ports_used) continue;
    // Near the end the errors begin, and before it there is nothing left to predict.
    const bool enough = !seen.empty() && (each.at_s - seconds.front().at_s > look_s ||
                                          used_in(each) > available / 2);
    if (enough && seen.size() > 1) break;
    if (used_in(each) > 0.95 * available) break;
    seen.push_back(&each);
  }
  if (seen.size() < 2) return std::nullopt;
  const second& first = *seen.front();
  const second& last = *seen.back();
  return growth{last.at_s, used_in(last),
                (used_in(last) - used_in(first)) / (last.at_s - first.at_s)};
}

std::optional<double> predict(const std::vector<second>& seconds, const port_limits& limits) {
  if (limits.available == 0 || limits.reused_early) return std::nullopt;
  const auto available = static_cast<double>(limits.available);
  const std::optional<growth> seen = first_growth(seconds, available);
  if (!seen || seen->per_s <= 0) return std::nullopt;
  // What is open was there at the start of the line; the rest of it is TIME_WAIT.
  const double open = std::max(0.0, seen->used - seen->per_s * seen->at_s);
  double time_waits = seen->per_s * time_wait_s;
  if (limits.time_waits) time_waits = std::min(time_waits, static_cast<double>(*limits.time_waits));
  if (open + time_waits < available) return std::nullopt;
  return seen->at_s + (available - seen->used) / seen->per_s;
}

bool is_out_of_ports(const std::string& error) {
  return error.find("out_of_ports") != std::string::npos;
}

/// Within the second in which requests began to fail: as many as failed were due after it.
std::optional<double> first_failure_s(const std::vector<second>& seconds) {
  double before_s = 0;
  for (const second& each : seconds) {
    if (each.failed > 0) {
      const auto due = static_cast<double>(std::max(each.due, each.failed));
      const double after = static_cast<double>(each.failed) / due;
      return each.at_s - (each.at_s - before_s) * after;
    }
    before_s = each.at_s;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t count_ports(const std::string& range, const std::string& reserved) {
  std::istringstream bounds{range};
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (!(bounds >> low >> high) || high < low) return 0;
  std::uint64_t count = high - low + 1;
  std::istringstream parts{reserved};
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t dash = part.find('-');
    const std::uint64_t first = std::max(number(part), low);
    const std::uint64_t last =
        std::min(number(dash == std::string::npos ? part : part.substr(dash + 1)), high);
    if (!part.empty() && first <= last) count -= last - first + 1;
  }
  return count;
}

std::uint64_t count_sources(const std::string& source) {
  const std::size_t slash = source.find('/');
  if (slash == std::string::npos) return 1;
  const std::uint64_t width = source.find(':') == std::string::npos ? 32 : 128;
  const std::uint64_t prefix = std::min(number(std::string_view{source}.substr(slash + 1)), width);
  const std::uint64_t bits = std::min<std::uint64_t>(width - prefix, 32);
  const std::uint64_t all = std::uint64_t{1} << bits;
  return bits < 2 ? all : all - 2;  // the first and last of a network are left out
}

void account_ports(run_result& result, const port_limits& limits) {
  port_use& ports = result.ports;
  ports.available = limits.available;
  for (const second& each : result.seconds) {
    if (each.ports_used) ports.peak = std::max(ports.peak, *each.ports_used);
  }
  const bool exhausted = std::ranges::any_of(
      result.errors, [](const auto& error) { return is_out_of_ports(error.first); });
  if (exhausted && !ports.exhausted_at_s) ports.exhausted_at_s = first_failure_s(result.seconds);
  ports.predicted_exhaustion_s = predict(result.seconds, limits);
}

}  // namespace load
