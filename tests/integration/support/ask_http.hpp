#pragma once

#include <dwell/net/endpoint.hpp>

#include <map>
#include <string>
#include <string_view>

namespace dwell {

struct http_reply {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< by their names as they came
  std::string body;
};

/// Reads what came until the end of a connection: one reply.
http_reply parse_reply(std::string_view text);

/// One request on a connection of its own: ask(where, "GET /"), with whole lines for more header
/// fields.
http_reply ask(const endpoint& where, std::string_view what, std::string_view fields = "");

}  // namespace dwell
