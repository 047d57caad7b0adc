#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace dwell::inline v0 {

/// On one line. Names are the user's, and need not be UTF-8.
inline std::string json_text(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace dwell::inline v0
