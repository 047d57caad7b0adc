#include "http/byte_range.hpp"

#include "http/text.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace dwell::http {
namespace {

/// Digits and nothing else; what is too large is the largest.
std::optional<std::uint64_t> read_position(std::string_view text) noexcept {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (most - digit) / 10) return most;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace

byte_range read_range(std::string_view field, std::uint64_t length) noexcept {
  using kind = byte_range::kind;
  constexpr std::string_view unit = "bytes=";
  if (!equals_ignoring_case(field.substr(0, unit.size()), unit)) return {};
  const std::string_view spec = trimmed(field.substr(unit.size()));
  const auto dash = spec.find('-');
  if (dash == spec.npos) return {};
  const auto first = read_position(spec.substr(0, dash));
  const auto last = read_position(spec.substr(dash + 1));

  if (dash == 0) {  // "-500": the last 500 bytes
    if (!last || length == 0) return {};
    if (*last == 0) return {.what = kind::unsatisfiable};
    const std::uint64_t size = std::min(*last, length);
    return {kind::part, length - size, size};
  }
  const bool open = dash + 1 == spec.size();
  if (!first || (!open && (!last || *last < *first))) return {};
  if (*first >= length) return {.what = kind::unsatisfiable};
  const std::uint64_t end = open ? length - 1 : std::min(*last, length - 1);
  return {kind::part, *first, end - *first + 1};
}

}  // namespace dwell::http
