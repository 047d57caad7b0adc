#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/connection/suspension.hpp>

#include "connection/attachment.hpp"

#include <cstdint>

namespace dwell::inline v0 {

/// One connection::after(), until it fires.
class after_timer final : attachment, timer_target {
 public:
  /// Adds it to those of `c`. Throws std::bad_alloc.
  static void start(slot& c, duration delay, unique_function<void(connection&)> call);
  ~after_timer() override;

 private:
  after_timer(slot& c, unique_function<void(connection&)> call)
      : attachment{c}, call_{std::move(call)} {}
  void fire() override;
  void connection_ended() override { delete this; }

  unique_function<void(connection&)> call_;
  std::uint32_t timer_ = 0;
  bool waits_ = false;
};

}  // namespace dwell::inline v0
