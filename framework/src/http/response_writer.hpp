#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/http/method.hpp>
#include <dwell/http/response.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace dwell::http {

/// What of a request decides how its answer is written.
struct answered_request {
  http::method method = method::get;
  bool http_1_1 = true;
  bool keep_alive = true;  // becomes false when the answer is the last
};

/// Why a handler's response cannot be sent; empty: it can.
std::string fault_of(const response& answer);

/// Sends the status line and the header fields.
void write_head(connection& peer, const response& answer, const answered_request& to) noexcept;

/// The body of an answer on its way, as far as the peer takes it.
class body_writer {
 public:
  body_writer(response answer, const answered_request& to) noexcept;

  /// Sends what there is room for. True when all of it is sent, or can't be any more. May throw
  /// what response::stream throws.
  bool write(connection& peer);
  /// Bytes of the body that have been sent.
  std::size_t sent() const noexcept { return sent_; }
  http::status status() const noexcept { return answer_.status; }
  bool ends_connection() const noexcept { return answer_.close; }

 private:
  bool write_stream(connection& peer);
  std::string_view whole() const noexcept;

  response answer_;
  std::size_t sent_ = 0;
  bool chunked_;
  bool none_;
};

/// A plain answer: "404 Not Found: why\n".
response plain_answer(status code, std::string_view why = {});

}  // namespace dwell::http
