#pragma once

#include <dwell/connection/handler.hpp>
#include <dwell/http/router.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace spdlog {
class logger;
}

namespace dwell::http {

/// What a request may use. Beyond a limit it is answered with the status named, and the connection
/// ends.
struct options {
  /// Bytes of the request line and header fields; 431. 16 KiB: cookies and tokens fit, and nginx
  /// and Apache take no more by default.
  std::size_t header = std::size_t{16} * 1024;
  /// Header fields; 431.
  std::size_t header_fields = 100;
  /// Bytes of the request target; 414. At most `header`.
  std::size_t target = std::size_t{8} * 1024;
  /// Bytes of a body, decoded; 413. 1 MiB as in nginx (client_max_body_size).
  std::size_t body = std::size_t{1024} * 1024;
  /// Bytes of a body that its handler streams (http::exchange), decoded; 413. 4 GiB: nothing of it
  /// waits in memory.
  std::uint64_t streamed_body = std::uint64_t{4} << 30;
  /// Bytes a second that a body has to come at, as an average over each deadlines.read; slower ones
  /// get 408. 500 as in Apache (mod_reqtimeout). 0: a body may take deadlines.read in all.
  std::uint32_t body_rate = 500;
  /// Seconds that a client for which there is no room is told to stay away (503, Retry-After), 0 to
  /// a day. 1: pressure that lasts longer is told again. Whole seconds (RFC 9110, 10.2.3).
  std::uint32_t retry_after = 1;
  /// A line at level info for each request, and the close reason with the last one of a connection.
  /// Null: none.
  std::shared_ptr<spdlog::logger> access_log{};
};

/// HTTP/1.1 and HTTP/1.0, as the handler of a service:
///
///     http::router routes;
///     routes.get("/hello/:name", [](const http::request& request) {
///       return http::response{.body = "Hello, " + std::string{request.param("name")} + "!\n"};
///     });
///     dwell::server server{{.listen = {.port = 8080}}, http::serve(std::move(routes))};
///     server.run();
///
/// Connections stay as the service says: keep-alive until deadlines.idle (clients are told a little
/// less, in `Keep-Alive: timeout`), one request with connection_mode::short_lived. deadlines.read
/// bounds the header, and a body as options::body_rate says; deadlines.handle the handler, which is
/// then answered for with 503. The end is announced with `Connection: close`, so
/// close_method::peer_first can be planned.
///
/// Requests of one connection are answered in order, one at a time. Whatever two readers could
/// understand in two ways is refused with a status, a line a person can read, and a lingering close
/// (request smuggling: RFC 9112, 11.2). Errors: 400, 404, 405, 408, 413, 414, 417, 431, 500, 501,
/// 503, 505; after 404, 405 and 500 the connection stays.
///
/// Throws std::invalid_argument when an option is out of bounds.
handler serve(router routes, http::options options = {});

}  // namespace dwell::http
