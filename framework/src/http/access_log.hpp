#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/status.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace dwell::http {

/// One request of a line of the access log, without the close reason:
/// `peer=127.0.0.1:41234 request="GET / HTTP/1.1" status=200 bytes=3 ms=0`.
std::string access_line(const request& what, status answered, std::size_t bytes, duration took);
/// The same for what could not be read as a request, or was not even begun.
std::string access_line(const connection& peer, std::optional<status> answered);

/// The connection goes on.
void log_exchange(spdlog::logger& to, const std::string& line);
/// It was the last of its connection.
void log_last(spdlog::logger& to, const std::string& line, const close_record& record);

/// A handler's fault.
void log_failure(spdlog::logger& to, const request& what, std::string_view why);

}  // namespace dwell::http
