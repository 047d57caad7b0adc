#pragma once
#include "target.hpp"

#include <cstddef>
#include <string>

// A GET, and how long the reply to it is: the same for all, as the Date in it is.
struct http_get {
  static constexpr std::size_t least_reply = 12;
  static constexpr const char* reply_begins = "HTTP/1.1 200";

  std::string request;
  std::size_t reply_size = 0;
};

// Asks `to` for `path` once, on a connection of its own, which it resets, to learn the size of the
// reply.
// `close`: with `Connection: close`. Throws std::runtime_error, which says what came instead of
// a 200 with Content-Length.
http_get learn_http_get(const target& to, const std::string& path, bool close);
