#include "admin/query_parameter.hpp"

#include <dwell/http/request.hpp>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace dwell::inline v0 {

std::vector<query_parameter> parameters_of(const http::request& request) {
  std::vector<query_parameter> parameters;
  for (std::string_view rest = request.query(); !rest.empty();) {
    const std::string_view each = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(each.size() + 1, rest.size()));
    const std::string_view name = each.substr(0, each.find('='));
    if (!each.empty()) parameters.push_back({std::string{name}, request.query(name).value_or("")});
  }
  return parameters;
}

void refuse(const query_parameter& given, const std::string& fix) {
  throw std::invalid_argument{given.name + " \"" + given.value + "\": use " + fix};
}

void refuse_name(const query_parameter& given, std::string_view known) {
  std::string complaint = '"' + given.name + "\" is no parameter: use ";
  throw std::invalid_argument{complaint.append(known)};
}

void refuse_repeated(std::span<const query_parameter> parameters) {
  for (auto given = parameters.begin(); given != parameters.end(); ++given) {
    const auto same = [given](const query_parameter& other) { return other.name == given->name; };
    if (std::any_of(parameters.begin(), given, same)) refuse(*given, "it once");
  }
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view each : names) text.append(text.empty() ? "" : ", ").append(each);
  return text;
}

duration read_time(const query_parameter& given) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}}};
  const std::string_view text = given.value;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint32_t count = 0;
  const auto unit =
      std::ranges::find(units, text.substr(digits), [](auto each) { return each.first; });
  if (unit == units.end() || !read_number(text.substr(0, digits), count)) {
    refuse(given, "a whole number and a unit: 250ms, 60s, 5min, 1h");
  }
  return duration{count * unit->second};
}

}  // namespace dwell::inline v0
