#pragma once

#include <dwell/closing/close_reason.hpp>

#include "engine/engine.hpp"

#include <string_view>

namespace dwell::inline v0 {

/// stream::slot of those on their way: no connection has so high a number.
inline constexpr std::uint32_t outgoing_slots = 0x8000'0000;

/// A connection on its way, as its loop sees it: from before the name is resolved until it has
/// arrived or failed. Owned by whoever waits for it; known to the loop while it lives.
class outgoing {
 public:
  outgoing(const outgoing&) = delete;
  outgoing& operator=(const outgoing&) = delete;

  /// There is an event for its socket (engine_events::on_connected).
  virtual void on_ready(bool in_error) = 0;
  /// The handshake of the connection that was made of it is done, or will not be.
  virtual void on_secured() = 0;
  virtual void on_not_secured(close_reason why, std::string_view failure, bool distrusted) = 0;
  /// The loop ends: nothing will arrive any more.
  virtual void on_loop_end() = 0;
  /// The loop is destroyed, and this waits for nobody any more.
  virtual void discard() noexcept = 0;

  stream io;

 protected:
  outgoing() noexcept = default;
  ~outgoing() = default;
};

}  // namespace dwell::inline v0
