#pragma once

#include <dwell/connection/file.hpp>
#include <dwell/http/status.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {

/// A header field of a response.
struct header {
  std::string name;
  std::string value;
};

/// What a handler answers: `return http::response{.body = "Hello\n"};`.
///
/// The server itself writes Connection, Content-Length, Date, Keep-Alive, Transfer-Encoding and
/// Content-Type; among `headers` these, names that are not tokens, and values with control
/// characters are the handler's fault: the client gets 500, and the log says which it was.
struct response {
  /// 200 to 599; anything else is the handler's fault.
  http::status status = http::status::ok;
  /// Of any size: what the peer has not room for waits here. Not sent with 204 and 304, nor to
  /// HEAD.
  std::string body{};
  /// Empty: "text/plain; charset=utf-8" when there is a body.
  std::string content_type{};
  std::vector<header> headers{};
  /// Sent instead of `body` when it is not empty, without being copied: it must live as long as the
  /// server.
  std::string_view static_body{};
  /// Sent instead of `body` when its `of` is not null, without a copy of it in the process: see
  /// connection::send_file(). Content-Type is application/octet-stream when `content_type` is
  /// empty. `http::response{.file = dwell::whole_file("report.pdf")}`, or let http::files answer.
  file_part file{};
  /// Sent instead of `body`, in pieces: called on the connection's loop, each time there is room
  /// for more, until it returns an empty string. Chunked; to HTTP/1.0 the end of the connection is
  /// the end of the body. When it throws, the connection ends as `handler_failed`: a cut answer
  /// must not look like a finished one.
  std::function<std::string()> stream{};
  /// Ends the connection after this answer.
  bool close = false;
};

}  // namespace dwell::http
