#pragma once

#include "result.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace load {

/// What makes a file no result: names the field, as `columns[0].at_rate[2].plan.rate`.
class bad_json : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

nlohmann::ordered_json to_json(const histogram& of);
nlohmann::ordered_json to_json(const run_result& of);
nlohmann::ordered_json to_json(const column& of);
nlohmann::ordered_json to_json(const environment& of);
/// With "format", which a reader looks at first.
nlohmann::ordered_json to_json(const report& of);

// Fields that are not known are ignored; one that is missing, or is no such thing, throws bad_json.
histogram histogram_from_json(const nlohmann::ordered_json& from);
run_result run_from_json(const nlohmann::ordered_json& from);
column column_from_json(const nlohmann::ordered_json& from);
environment environment_from_json(const nlohmann::ordered_json& from);
report report_from_json(const nlohmann::ordered_json& from);

/// The text of a file; also for text that is no JSON, it throws bad_json.
report parse_report(std::string_view text);

}  // namespace load
