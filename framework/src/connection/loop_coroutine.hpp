#pragma once

#include <dwell/connection/task.hpp>

#include "connection/coroutine.hpp"

#include <cstddef>

namespace dwell::inline v0 {

/// A coroutine that runs on a loop and belongs to no connection. Owned by the loop until it has
/// ended.
class loop_coroutine final : public coroutine {
 public:
  loop_coroutine(loop& on, unique_function<task<>()> make, std::size_t where)
      : coroutine{kind::of_loop}, place{where}, on_{&on}, make_{std::move(make)} {}
  ~loop_coroutine() { body = {}; }

  static loop_coroutine& of(coroutine& which) noexcept {
    return static_cast<loop_coroutine&>(which);
  }
  static const loop_coroutine& of(const coroutine& which) noexcept {
    return static_cast<const loop_coroutine&>(which);
  }

  loop& on() const noexcept { return *on_; }
  void begin() { coroutine::start(make_()); }
  bool has_ended() const noexcept { return !body; }

  std::size_t place;  ///< among the loop's

 private:
  loop* on_;
  unique_function<task<>()> make_;  // what it captures lives as long as the coroutine
};

}  // namespace dwell::inline v0
