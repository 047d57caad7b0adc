#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/http/exchange.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/router.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::http {

/// Why a WebSocket closes (RFC 6455, 7.4.1, and its registry). One of your own is
/// `websocket_close_code{4000}`, up to 4999.
enum class websocket_close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,  ///< the page was left, or the server goes: also idle, lifetime, drain
  protocol_error = 1002,
  unsupported_data = 1003,
  no_code = 1005,   ///< never sent: the peer's Close had none
  abnormal = 1006,  ///< never sent: the connection ended without a Close
  invalid_text = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
};

/// A message: a view of bytes that are the WebSocket's.
class websocket_message {
 public:
  websocket_message() noexcept = default;
  websocket_message(bytes data, bool is_text) noexcept : data_{data}, is_text_{is_text} {}

  /// False: there is none, and none will come. A message of no bytes tests true.
  explicit operator bool() const noexcept { return static_cast<bool>(data_); }
  /// Then it is UTF-8; else it is binary.
  bool is_text() const noexcept { return is_text_; }
  bytes data() const noexcept { return data_; }
  std::string_view text() const noexcept { return data_.text(); }
  std::size_t size() const noexcept { return data_.size(); }

 private:
  bytes data_;
  bool is_text_ = false;
};

struct websocket_session;

/// A WebSocket (RFC 6455), as its handler sees it. Owned by its connection; valid until the
/// handler's task has ended. For the loop's thread.
///
/// The connection is idle while read() waits with nothing of a message here, and every frame is
/// activity, pings and pongs too; from the first byte of a message deadlines.read bounds it, from
/// its last deadlines.handle the handler, until that reads or sends. One WebSocket is one exchange.
class websocket {
 public:
  websocket(const websocket&) = delete;
  websocket& operator=(const websocket&) = delete;

  /// The one that opened it.
  const http::request& request() const noexcept;
  /// Output and input are the WebSocket's. Closing it here instead of with close() keeps the peer
  /// from hearing why.
  connection& peer() const noexcept;
  /// Of websocket_options::protocols; empty: none was agreed on.
  std::string_view protocol() const noexcept;

  /// The next message, whole; false when none will come (close_code() and connection::reason() say
  /// why). Valid until the next read(), whatever is awaited in between. Pings are answered
  /// meanwhile. While nobody reads, or output is above limits.high_watermark, the peer is slowed
  /// down. One at a time.
  task<websocket_message> read();

  /// Queues a message, which is copied or sent before it returns; never waits. `text` has to be
  /// UTF-8, which is not checked. False once the WebSocket closes, or read() has returned false.
  /// See connection::send() for the bounds.
  bool send_text(std::string_view text) noexcept;
  bool send_binary(bytes data) noexcept;
  /// send, then waits while output is above limits.high_watermark. Says nothing about delivery. One
  /// at a time.
  exchange_write write_text(std::string_view text) noexcept { return {peer(), send_text(text)}; }
  exchange_write write_binary(bytes data) noexcept { return {peer(), send_binary(data)}; }
  /// A ping, with up to 125 bytes that come back in its pong; false beyond. Pongs are not shown.
  bool ping(bytes payload = {}) noexcept;

  /// Sends Close: nothing can be sent after it, and read() returns false. When the handler has
  /// returned, the peer's own Close is waited for up to deadlines.close, and the connection ends as
  /// close_plan::finished says; a handler that returns without a close() closes as `normal`.
  /// `reason` is UTF-8; what is beyond 123 bytes is cut. The first call wins. Throws nothing.
  void close(websocket_close_code code = websocket_close_code::normal,
             std::string_view reason = {}) noexcept;
  /// Of the first Close, the peer's or ours; `abnormal` when the connection ends without one;
  /// nullopt while it is open.
  std::optional<websocket_close_code> close_code() const noexcept;
  /// What the peer's Close, if it was first, gave as a reason.
  std::string_view close_text() const noexcept;

 protected:
  websocket() = default;
  ~websocket() = default;
};

/// What a WebSocket may use, and who may open one.
struct websocket_options {
  /// Bytes of a message, all its fragments together; 1009 beyond. 64 KiB, as limits.message.
  std::size_t message = std::size_t{64} * 1024;
  /// A peer from which nothing has come for that long (twice that at most) is sent a ping; when
  /// again nothing comes, it is closed as `idle_timeout`. So who answers stays, whatever
  /// deadlines.idle is, and who does not leaves sooner than by it. Off: the peer's own pings keep
  /// it, and nothing else.
  duration ping_interval = off;
  /// Subprotocols that are spoken here (Sec-WebSocket-Protocol). The first that the client lists is
  /// taken; when it lists none of them, none is.
  std::vector<std::string> protocols{};
  /// Origins ("https://example.org") of the pages that may connect besides those that this host
  /// serves; "*": all. Others get 403. Clients that say none, as all but browsers do, may connect.
  std::vector<std::string> origins{};
};

/// What `websocket_handler` takes.
using websocket_callback = callback<task<>(websocket&)>;

/// A route that opens WebSockets:
///
///     dwell::task<> echo(http::websocket& socket) {
///       while (auto message = co_await socket.read()) co_await socket.write_text(message.text());
///     }
///     routes.get("/echo", http::websocket_handler(echo));
///
/// Requests that open none are answered with 426, 403 or 400. When the handler throws, the peer
/// gets Close 1011, and the connection ends as `handler_failed`. Throws std::invalid_argument when
/// an option is out of bounds.
route_handler websocket_handler(websocket_callback what, websocket_options options = {});

/// A message as it is on the wire: for connection::send() to many, on whatever loop (server::post,
/// server::each), when each of them is a WebSocket that is open. Throws std::bad_alloc.
std::string encode_websocket_text(std::string_view text);
std::string encode_websocket_binary(bytes data);

}  // namespace dwell::http
