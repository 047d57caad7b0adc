#pragma once

#include "server/accept_turn.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <latch>
#include <mutex>

namespace dwell::inline v0 {

/// What a server has whose loops have descriptor tables of their own.
struct own_tables {
  /// `room`: connections for each.
  own_tables(std::size_t loops, std::uint64_t room_of_each)
      : room{room_of_each}, turn{loops}, made{static_cast<std::ptrdiff_t>(loops) - 1} {}

  void fail(std::exception_ptr with) noexcept {
    const std::lock_guard lock{failing};
    failure = std::move(with);
  }

  std::uint64_t room;
  accept_turn turn;
  std::latch made;      // every loop but the first has its table
  std::latch begun{1};  // and now they may run
  std::mutex failing;
  std::exception_ptr failure;  // of one that could not be made
};

}  // namespace dwell::inline v0
