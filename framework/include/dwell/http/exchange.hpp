#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/base/unique_function.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/suspension.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/http/response.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace dwell::http {

class exchange;
class request;
struct streamed_exchange;

/// Awaited: bytes from the client. See exchange::read().
class [[nodiscard]] exchange_read final : suspension {
 public:
  explicit exchange_read(exchange& of) noexcept;
  exchange_read(const exchange_read&) = delete;
  exchange_read& operator=(const exchange_read&) = delete;
  ~exchange_read() override;
  bool await_ready() noexcept;
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> reader) noexcept {
    wait(reader);
  }
  bytes await_resume() noexcept;

 private:
  friend streamed_exchange;
  void wait(std::coroutine_handle<> reader) noexcept;
  void connection_ended() override;
  streamed_exchange* exchange_;
};

/// Awaited: room for more output. See exchange::write().
class [[nodiscard]] exchange_write {
 public:
  exchange_write(connection& peer, bool taken) noexcept
      : room_{peer, write_operation::until::below_high_watermark}, taken_{taken} {}
  bool await_ready() noexcept { return !taken_ || room_.await_ready(); }
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> writer) noexcept {
    room_.await_suspend(writer);
  }
  bool await_resume() noexcept { return taken_ && room_.await_resume(); }

 private:
  write_operation room_;
  bool taken_;
};

/// A request and its answer, both as they come and go: what a streaming handler works with.
///
///     routes.post("/upload", [](http::exchange& upload) -> dwell::task<http::response> {
///       std::uint64_t size = 0;
///       while (auto part = co_await upload.read()) size += part.size();
///       co_return http::response{.body = std::to_string(size) + " bytes\n"};
///     });
///     routes.get("/count", [](http::exchange& count) -> dwell::task<> {
///       std::string line = "0\n";
///       for (int i = 1; co_await count.write(line); ++i) {
///         co_await dwell::sleep_for(1s);
///         line = std::to_string(i) + '\n';
///       }
///     });
///
/// Whatever size the bodies have, memory is bounded by what one receive brings and by
/// limits.high_watermark. deadlines.handle bounds each wait for something else than the client,
/// from one read() or write() to the next. Owned by its connection; valid until the handler's task
/// has ended. For the loop's thread. Nothing here throws.
class exchange {
 public:
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  /// Without its body, which comes by read().
  const http::request& request() const noexcept;
  /// What is read from it, or sent to it, is the exchange's to do.
  connection& peer() const noexcept;

  // ── the body of the request ──
  /// The next bytes of the body, at least one, decoded when they come in chunks; false when no more
  /// will come, or the connection closes. They stay valid until the next read(), whatever is
  /// awaited in between. While nobody reads the client is slowed down, and `Expect: 100-continue`
  /// is answered when somebody first does. deadlines.read bounds it as options::body_rate says; at
  /// most options::streamed_body bytes. One at a time.
  exchange_read read() noexcept { return exchange_read{*this}; }
  /// read() has returned all of the body. False after the client, or a deadline, has cut it short.
  bool is_complete() const noexcept;

  // ── the answer ──
  /// The answer, whole. It leaves when the handler has returned; one that returns a response does
  /// without. The connection ends with it when the body has not been read.
  void respond(response answer) noexcept;
  /// Sends the status and header fields of `head`, whose body is what follows by write(). `size`:
  /// its length when it is known, and then so much has to be written; else it is chunked, or with
  /// HTTP/1.0 ends with the connection. False when there is an answer already, the connection
  /// closes, or `head` cannot be sent, which the log says.
  bool begin(response head, std::optional<std::uint64_t> size = {}) noexcept;
  /// Queues bytes of the body, which are copied or sent before it returns; never waits. Without a
  /// begin() it is a 200. False when the answer has no body (HEAD, 204, 304), and once sending is
  /// over.
  bool send(bytes data) noexcept;
  /// send(), then waits while output is above limits.high_watermark. Says nothing about delivery.
  /// One at a time. The body ends when the handler returns; when it throws, the connection ends as
  /// `handler_failed`, so that a cut answer does not look like a finished one.
  exchange_write write(bytes data) noexcept { return {peer(), send(data)}; }

  // ── another protocol (RFC 9110, 7.8) ──
  /// Answers 101: from now on read(), send() and write() are the connection's own bytes, until the
  /// handler returns, and it is idle while a read() waits. False when the client has not offered
  /// `protocol`, its body has not been read, or there is an answer already: then nothing is sent.
  bool upgrade(std::string_view protocol, const std::vector<header>& headers = {}) noexcept;
  /// For an upgraded connection: called when a deadline, its lifetime or a drain ends it. What it
  /// sends are the last words, before our FIN.
  void on_deadline(unique_function<void(close_reason)> call) noexcept;

 protected:
  exchange() = default;
  ~exchange() = default;
};

}  // namespace dwell::http
