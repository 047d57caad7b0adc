#pragma once

#include <dwell/connection/suspension.hpp>
#include <dwell/connection/task.hpp>

#include "connection/slot.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace dwell {

/// What a connection knows of its handler's coroutine: the session of a coroutine_handler.
///
/// Input is delivered only while the coroutine waits in read(); otherwise the connection is paused,
/// which is also what makes it the handle phase.
struct coroutine_session {
  task<> body;
  slot* peer = nullptr;
  std::coroutine_handle<> reader;
  std::coroutine_handle<> writer;
  suspension* suspensions = nullptr;
  std::byte* block = nullptr;        // of what read() returned
  const std::byte* input = nullptr;  // that; null: no more bytes will come
  std::uint32_t input_size = 0;
  write_operation::until goal = write_operation::until::below_high_watermark;
  bool block_lent : 1 = false;  // by the engine: of its size
  bool delivering : 1 = false;  // the loop looks at slot::paused when the coroutine has suspended
  bool outlives : 1 = false;    // the connection has ended and waits for the coroutine

  static coroutine_session& of(slot& c) noexcept {
    return *static_cast<coroutine_session*>(c.session);
  }
  loop& host() const noexcept { return *peer->service->host; }

  /// Inside a handler call. May throw what the coroutine has ended by.
  void resume(std::coroutine_handle<> whom);
  void deliver(std::coroutine_handle<> whom);
  void begin(task<> handler);
  bool end();
  void settle();

  void keep(bytes data);
  void forget_input() noexcept;
  bool no_more_input() const noexcept;
  void wait_for_input() noexcept;
};

static_assert(sizeof(coroutine_session) <= block_pool::smallest);

}  // namespace dwell
