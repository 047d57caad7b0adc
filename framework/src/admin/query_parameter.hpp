#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace dwell::http {
class request;
}

namespace dwell::inline v0 {

/// A parameter of a request's target, decoded.
struct query_parameter {
  std::string name;
  std::string value;
};

std::vector<query_parameter> parameters_of(const http::request& request);

// ── what cannot be read: std::invalid_argument, naming the parameter and the fix ──

[[noreturn]] void refuse(const query_parameter& given, const std::string& fix);
[[noreturn]] void refuse_name(const query_parameter& given, std::string_view known);
void refuse_repeated(std::span<const query_parameter> parameters);

/// All of `text`, in decimal.
template <class Number>
bool read_number(std::string_view text, Number& number) noexcept {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && rest == end;
}

/// "250ms", "60s", "5min", "1h"
duration read_time(const query_parameter& given);

std::string listed(std::span<const std::string_view> names);

/// The enumerator whose name stands at its place.
template <class Enum>
Enum one_of(std::span<const std::string_view> names, const query_parameter& given,
            std::string_view value, std::string_view more = {}) {
  const auto found = std::ranges::find(names, value);
  if (found == names.end()) refuse(given, listed(names).append(more));
  return static_cast<Enum>(found - names.begin());
}

}  // namespace dwell::inline v0
