#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace dwell::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7). Valid on this thread until the next call;
/// made anew only when the second has changed.
std::string_view http_date(std::chrono::sys_seconds when) noexcept;

/// In one of the three formats that a recipient has to accept (RFC 9110, 5.6.7). A year of two
/// digits is 1970 to 2069.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) noexcept;

}  // namespace dwell::http
