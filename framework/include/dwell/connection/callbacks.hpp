#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/connection/connection.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace dwell::inline v0 {

/// A copyable callable that several loops call at the same time, and therefore as const: a
/// `mutable` lambda does not compile.
template <class Signature>
class callback;

template <class R, class... Args>
class callback<R(Args...)> {
 public:
  callback() noexcept = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, callback>) callback(F f)
      : target_{std::move(f)} {
    static_assert(
        std::is_invocable_r_v<R, const F&, Args...>,
        "dwell: a callback is called as const from every loop with the documented arguments; "
        "remove `mutable` and keep state in the session");
  }
  R operator()(Args... args) const { return target_(std::forward<Args>(args)...); }
  explicit operator bool() const noexcept { return static_cast<bool>(target_); }

 private:
  std::function<R(Args...)> target_;
};

/// Stands for "no session".
struct no_session {};

/// A handler made of callbacks. `Session` is what you keep per connection: default-constructed
/// before on_open, destroyed after on_close, on the connection's loop. All run on that loop's
/// thread, never inside each other; an exception from any ends the connection as `handler_failed`.
/// Every member is optional.
template <class Session = no_session>
struct callbacks {
  /// A connection was accepted. False refuses it: it is closed as `overload`.
  callback<bool(connection&, Session&)> on_open;
  /// Bytes came. `data` is valid until the callback returns. Returns how many of them were
  /// consumed, 0 to data.size(); the rest comes again, in front of what follows, once more has
  /// arrived. More than limits.message unconsumed bytes end the connection as `protocol_error`,
  /// unless input is paused, or waits for output to leave.
  callback<std::size_t(connection&, Session&, bytes data)> on_data;
  /// The output queue fell below limits.low_watermark after having been above
  /// limits.high_watermark.
  callback<void(connection&, Session&)> on_writable;
  /// The peer sent FIN: no more on_data; sending still works. When absent, the connection closes
  /// after what is queued and owed.
  callback<void(connection&, Session&)> on_peer_closed;
  /// A deadline ends the connection (read_timeout, handle_timeout, idle_timeout, lifetime), or it
  /// is idle while the server drains (drain): the last chance to send, an error message or a
  /// goodbye. Closing follows as close_plan says for that reason.
  callback<void(connection&, Session&, close_reason)> on_deadline;
  /// That the connection ends is decided, and it will take longer than this turn: nothing more can
  /// be sent, nothing more will come. Whoever waits for either need not wait for on_close.
  callback<void(connection&, Session&)> on_closing;
  /// The descriptor is released. The last callback; exactly one per on_open.
  callback<void(connection&, Session&, const close_record&)> on_close;
  /// The protocol can tell the peer that the connection ends (connection::announced_close), which
  /// close_method::peer_first needs.
  bool announces_close = false;
  /// What a client is told for which there is no room (when_full::refuse, pressure_level::refuse),
  /// up to 4 KiB; then it is closed, lingering, for deadlines.close at most. No callback runs for
  /// it, and up to 64 on each loop come on top of server_options::connections. Empty, over TLS, and
  /// for more at once: a reset.
  std::string refusal{};
};

}  // namespace dwell::inline v0
