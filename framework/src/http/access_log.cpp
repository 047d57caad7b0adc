#include "http/access_log.hpp"

#include <spdlog/spdlog.h>

namespace dwell::http {
namespace {

/// A target may have quotation marks and backslashes in it: the line must not be cut by them.
std::string quoted(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '"' || c == '\\') made += '\\';
    made += c;
  }
  return made;
}

}  // namespace

std::string access_line(const request& what, status answered, std::size_t bytes, duration took) {
  std::string made = "peer=" + to_string(what.peer().peer_endpoint()) + " request=\"";
  made += to_string(what.method());
  made += ' ';
  made += quoted(what.target());
  made += what.is_http_1_1() ? " HTTP/1.1\"" : " HTTP/1.0\"";
  made += " status=" + std::to_string(static_cast<int>(answered));
  made += " bytes=" + std::to_string(bytes);
  made += " ms=" + std::to_string(took.count());
  return made;
}

std::string access_line(const connection& peer, std::optional<status> answered) {
  std::string made = "peer=" + to_string(peer.peer_endpoint()) + " request=-";
  made += " status=" + (answered ? std::to_string(static_cast<int>(*answered)) : "-");
  return made;
}

void log_exchange(spdlog::logger& to, const std::string& line) { to.info("{} close=-", line); }

void log_last(spdlog::logger& to, const std::string& line, const close_record& record) {
  to.info("{} close={} exchanges={}", line, to_string(record.reason), record.exchanges);
}

void log_failure(spdlog::logger& to, const request& what, std::string_view why) {
  to.warn("{} {} from {}: {}", to_string(what.method()), what.path(),
          to_string(what.peer().peer_endpoint()), why);
}

}  // namespace dwell::http
