#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/connection/suspension.hpp>
#include <dwell/connection/task.hpp>

#include "connection/slot.hpp"

#include <coroutine>
#include <cstdint>

namespace dwell::inline v0 {

/// A coroutine of a connection, and what it waits for. The handler's own (a coroutine_session) is
/// the connection; a spawned one runs beside callbacks; a loop_coroutine has no connection.
struct coroutine {
  enum class kind : std::uint8_t { of_handler, spawned, of_loop };
  explicit coroutine(kind how) noexcept : what{how} {}
  coroutine(const coroutine&) = delete;
  coroutine& operator=(const coroutine&) = delete;
  ~coroutine();

  task<> body;
  slot* peer = nullptr;  // null: of the loop
  std::coroutine_handle<> writer;
  suspension* suspensions = nullptr;
  write_operation::until goal = write_operation::until::below_high_watermark;
  bool owes : 1 = false;      // has its part in slot::owed
  bool outlives : 1 = false;  // the connection has ended and waits for the coroutine
  kind what;

  loop& host() const noexcept;

  /// Inside a handler call. May throw what the coroutine has ended by.
  void start(task<> made);
  void resume(std::coroutine_handle<> whom);
  void resume_writer(write_operation::until reached);
  /// Whatever it waits for ends once, since the connection has; what it waits for next is its own
  /// affair.
  void end(std::coroutine_handle<> reader = nullptr);
  void owe(bool on) noexcept;

 protected:
  std::coroutine_handle<> frame() const noexcept { return body.frame_; }
  void run(std::coroutine_handle<> whom);
  void settle();
};

}  // namespace dwell::inline v0
