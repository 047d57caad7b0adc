#pragma once

#include "admin/gathering.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace dwell::inline v0 {

nlohmann::ordered_json to_json(const connection_row& row);
/// The reply of /connections: an object, each connection of it on a line of its own.
std::string to_json(const connection_list& list, const connection_query& query);

}  // namespace dwell::inline v0
