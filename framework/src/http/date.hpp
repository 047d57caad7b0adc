#pragma once

#include <chrono>
#include <string_view>

namespace dwell::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7). Valid on this thread until the next call;
/// made anew only when the second has changed.
std::string_view http_date(std::chrono::sys_seconds when) noexcept;

}  // namespace dwell::http
