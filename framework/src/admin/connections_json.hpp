#pragma once

#include "admin/gathering.hpp"

#include <string>

namespace dwell::inline v0 {

/// The reply of /connections: an object, each connection of it on a line of its own.
std::string to_json(const connection_list& list, const connection_query& query);

}  // namespace dwell::inline v0
