#pragma once

#include <dwell/http/response.hpp>

#include <string>
#include <utility>

namespace dwell::inline v0 {

inline http::response plain(http::status status, std::string text) {
  return {.status = status,
          .body = std::move(text),
          .headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}}};
}

inline http::response as_json(std::string text) {
  http::response made = plain(http::status::ok, std::move(text));
  made.content_type = "application/json";
  return made;
}

}  // namespace dwell::inline v0
