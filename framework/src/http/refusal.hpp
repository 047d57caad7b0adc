#pragma once

#include <dwell/http/status.hpp>

namespace dwell::http {

/// Why a request is not taken. The connection cannot go on: what follows on it may be read in two
/// ways.
struct refusal {
  http::status status = status::bad_request;
  const char* why = "";  ///< for a person, static
};

}  // namespace dwell::http
