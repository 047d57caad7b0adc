#pragma once

#include "base/block_pool.hpp"
#include "connection/coroutine.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace dwell::inline v0 {

/// The coroutine that is a connection's handler: the session of a coroutine_handler.
///
/// Input is delivered only while it waits in read(); otherwise the connection is paused, which is
/// also what makes it the handle phase.
struct coroutine_session : coroutine {
  coroutine_session() noexcept : coroutine{kind::of_handler} {}

  bool block_lent : 1 = false;  // by the engine: of its size
  std::uint32_t input_size = 0;
  std::coroutine_handle<> reader;
  std::byte* block = nullptr;        // of what read() returned
  const std::byte* input = nullptr;  // that; null: no more bytes will come

  static coroutine_session& of(slot& c) noexcept {
    return *static_cast<coroutine_session*>(c.session);
  }

  /// True when it has ended too.
  bool end();

  void keep(bytes data);
  void forget_input() noexcept;
  bool no_more_input() const noexcept;
};

static_assert(sizeof(coroutine_session) <= block_pool::smallest);

}  // namespace dwell::inline v0
