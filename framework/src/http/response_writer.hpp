#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/http/method.hpp>
#include <dwell/http/response.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {

/// What of a request decides how its answer is written.
struct answered_request {
  http::method method = method::get;
  bool http_1_1 = true;
  bool keep_alive = true;               // becomes false when the answer is the last
  bool streamed = false;                // the body is not in the response
  std::optional<std::uint64_t> size{};  // of a streamed body, when it is known
};

/// What has become of an answer.
struct sent_answer {
  http::status status = status::ok;
  std::size_t body = 0;  // bytes
  bool last = false;     // of the connection
};

/// Why a handler's response cannot be sent; empty: it can.
std::string fault_of(const response& answer);
std::string fault_of(const std::vector<header>& headers);

/// Whether answers with that status have a body.
bool may_have_body(status code) noexcept;

/// Sends 101: from now on the connection speaks `protocol`.
void write_upgrade(connection& peer, std::string_view protocol,
                   const std::vector<header>& headers) noexcept;

/// Sends the status line, the header fields, and `body`: what of it is to leave with them.
void write_head(connection& peer, const response& answer, const answered_request& to,
                std::string_view body = {}) noexcept;

/// The bytes that follow the head, unless they come from response::stream. Of `answer`.
std::string_view body_of(const response& answer, const answered_request& to) noexcept;

/// The body of an answer on its way, as far as the peer takes it.
class body_writer {
 public:
  enum class outcome : std::uint8_t {
    done,  // all of it is sent, or can't be any more
    full,  // until on_writable
    more,  // there is room, but others on the loop want to be served too
  };

  body_writer(response answer, const answered_request& to) noexcept;

  /// May throw what response::stream throws.
  outcome write(connection& peer);
  sent_answer progress(const connection& peer) const noexcept;

 private:
  static constexpr std::size_t most_per_turn = std::size_t{256} * 1024;

  bool write_slice(connection& peer) noexcept;
  bool write_piece(connection& peer);
  void hand_over_file(connection& peer) noexcept;

  response answer_;
  answered_request to_;
  std::size_t sent_ = 0;
  std::size_t of_piece_ = 0;  // sent of the piece that answer_.stream has made
  std::size_t file_size_ = 0;
  std::uint64_t sent_before_ = 0;  // by the connection, when it was handed the file
};

/// A plain answer: "404 Not Found: why\n".
response plain_answer(status code, std::string_view why = {});

}  // namespace dwell::http
