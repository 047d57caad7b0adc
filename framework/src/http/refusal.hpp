#pragma once

#include <dwell/http/status.hpp>

namespace dwell::http {

/// Why a request is not taken. The connection cannot go on: what follows on it may be read in two
/// ways.
struct refusal {
  http::status status = status::bad_request;
  const char* why = "";  ///< for a person, static
};

inline constexpr refusal too_slow{status::request_timeout, "the request took too long to come"};
inline constexpr refusal bad_path{status::bad_request, "the path is not valid percent-encoding"};

}  // namespace dwell::http
