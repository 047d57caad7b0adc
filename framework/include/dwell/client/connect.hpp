#pragma once

#include <dwell/client/connect_error.hpp>
#include <dwell/client/connect_options.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/task.hpp>

#include <concepts>
#include <coroutine>
#include <memory>

namespace dwell::inline v0 {

class awaited_attempt;

/// Owns an outbound connection, or knows why there is none. Movable. When it goes, the connection
/// closes, after what is queued, as close_plan::finished says; it is not waited for.
///
/// What it points to is awaited by whichever coroutine of the loop has it: read(), write() and
/// flush() belong to nobody in particular, one of each at a time. An await of it that is under way
/// when the awaiting coroutine's own connection ends comes back at once, a read() with false. Stays
/// valid after its end, which reason() tells. For its loop's thread.
class [[nodiscard]] outbound {
 public:
  outbound() noexcept = default;
  outbound(connection& peer, std::shared_ptr<mailbox> where) noexcept;
  explicit outbound(connect_error why) noexcept : error_{why} {}
  outbound(outbound&& other) noexcept;
  outbound& operator=(outbound&& other) noexcept;
  ~outbound();

  /// True when there is, or was, a connection.
  explicit operator bool() const noexcept { return peer_ != nullptr; }
  connection& operator*() const noexcept { return *peer_; }
  connection* operator->() const noexcept { return peer_; }
  /// Why there is none; connect_failure::none when there is one.
  connect_error error() const noexcept { return error_; }

 private:
  connection* peer_ = nullptr;
  std::shared_ptr<mailbox> where_;
  connection_id id_;
  connect_error error_;
};

/// Awaited; see connect().
class [[nodiscard]] connect_operation {
 public:
  explicit connect_operation(const connect_options& to);
  connect_operation(const connect_operation&) = delete;
  connect_operation& operator=(const connect_operation&) = delete;
  ~connect_operation();
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) {
    return start(waiter);
  }
  outbound await_resume() noexcept;

 private:
  bool start(std::coroutine_handle<> waiter);
  std::unique_ptr<awaited_attempt> attempt_;
};

/// Connects, from a coroutine that runs on a loop of a server or client:
/// `auto upstream = co_await dwell::connect({.host = "10.0.0.2", .port = 8080, .connect = 2s});`
///
/// Gives an `outbound`, which is false and says why when there is no connection. Counts against
/// `connections` of the server or client from the start. When the coroutine's own connection ends
/// meanwhile, the attempt does too, as connect_failure::ended. Throws std::invalid_argument,
/// naming the field, for an option out of bounds.
inline connect_operation connect(const connect_options& to) { return connect_operation{to}; }

}  // namespace dwell::inline v0
