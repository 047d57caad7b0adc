#pragma once

#include <dwell/client/connect_error.hpp>
#include <dwell/connection/suspension.hpp>

#include "client/destination.hpp"
#include "client/name_lookup.hpp"
#include "connection/loop.hpp"
#include "connection/outgoing.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace dwell::inline v0 {

/// One connection being made: the name looked up, addresses tried in order, all within a deadline.
/// Releases what it holds when it goes.
class attempt : public outgoing, private timer_target {
 protected:
  attempt(loop& on, const route& way, hosted_service& hosted) noexcept;
  ~attempt();

  /// False: it has failed already.
  bool begin();
  /// Stops, as failed.
  void give_up(connect_failure why) noexcept;
  /// Makes the connection of what has arrived; null: no memory, and then it has failed.
  slot* take(const std::function<void(void*)>& start = {});
  loop& on() const noexcept { return *on_; }
  const connect_error& error() const noexcept { return error_; }
  /// Calls failed() in the loop's next turn.
  void fail_later();

 private:
  /// The socket is connected: take() it. May destroy this, as the next.
  virtual void arrived() = 0;
  virtual void failed() = 0;

  void on_ready(bool in_error) final;
  void on_loop_end() final;
  void on_secured() final;
  void on_not_secured(close_reason why, std::string_view failure, bool distrusted) final;
  void shake_hands();
  void fire() final;
  bool look_up();
  bool try_next();
  bool dial(const raw_address& to);
  void fail(int error, bool at_source = false) noexcept;
  void arm();
  void disarm() noexcept;
  void drop() noexcept;
  std::span<const raw_address> addresses() const noexcept;

  loop* on_;
  const route* way_;
  hosted_service* hosted_;
  std::unique_ptr<name_lookup> lookup_;
  std::vector<raw_address> found_;
  std::size_t next_ = 0;   // address
  std::uint64_t due_ = 0;  // in the loop's time; meaningless when way_->connect is off
  std::optional<std::uint32_t> timer_;
  connect_error error_;
  slot* handshaking_ = nullptr;
  slot* secured_ = nullptr;  // and not taken yet
  bool listed_ = false;
  bool admitted_ = false;
};

}  // namespace dwell::inline v0
