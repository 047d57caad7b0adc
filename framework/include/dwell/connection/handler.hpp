#pragma once

#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/task.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace dwell::inline v0 {

/// What a loop calls: callbacks and coroutines both look like this to it. Implemented by Dwell;
/// users make a dwell::handler. Called as const, from every loop, with a session of its own per
/// connection.
class connection_handler {
 public:
  virtual ~connection_handler() = default;
  virtual std::size_t session_size() const noexcept = 0;  ///< bytes; 0: no session
  virtual void create_session(void* where) const = 0;
  virtual void destroy_session(void* session) const noexcept = 0;
  virtual bool on_open(connection& peer, void* session) const = 0;
  virtual std::size_t on_data(connection& peer, void* session, bytes data) const = 0;
  virtual void on_writable(connection& peer, void* session) const = 0;
  virtual void on_flushed(connection& peer, void* session) const = 0;
  /// False: nobody waits for it, so the connection may close.
  virtual bool on_peer_closed(connection& peer, void* session) const = 0;
  virtual void on_deadline(connection& peer, void* session, close_reason why) const = 0;
  /// That it closes is decided, but its descriptor is not released yet: nothing comes or goes any
  /// more, so nobody need wait.
  virtual void on_closing(connection& peer, void* session) const = 0;
  /// False: a suspended frame still uses the connection; its slot is kept until that has ended.
  virtual bool on_close(connection& peer, void* session, const close_record& record) const = 0;
  virtual bool announces_close() const noexcept { return false; }
  /// What a connection is told for which there is no room; empty: nothing, it is reset.
  virtual bytes refusal() const noexcept { return {}; }
};

template <class Session>
class callback_handler final : public connection_handler {
 public:
  explicit callback_handler(callbacks<Session> calls) : calls_{std::move(calls)} {}

  std::size_t session_size() const noexcept override {
    static_assert(alignof(Session) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                  "dwell: a session's alignment must not exceed that of std::max_align_t");
    return std::is_empty_v<Session> ? 0 : sizeof(Session);
  }
  void create_session(void* where) const override { ::new (where) Session(); }
  void destroy_session(void* session) const noexcept override {
    if (session != nullptr) static_cast<Session*>(session)->~Session();
  }
  bool on_open(connection& peer, void* session) const override {
    return !calls_.on_open ||
           with(session, [&](Session& self) { return calls_.on_open(peer, self); });
  }
  std::size_t on_data(connection& peer, void* session, bytes data) const override {
    if (!calls_.on_data) return data.size();
    return with(session, [&](Session& self) { return calls_.on_data(peer, self, data); });
  }
  void on_writable(connection& peer, void* session) const override {
    if (calls_.on_writable) with(session, [&](Session& self) { calls_.on_writable(peer, self); });
  }
  void on_flushed(connection&, void*) const override {}
  bool on_peer_closed(connection& peer, void* session) const override {
    if (!calls_.on_peer_closed) return false;
    with(session, [&](Session& self) { calls_.on_peer_closed(peer, self); });
    return true;
  }
  void on_deadline(connection& peer, void* session, close_reason why) const override {
    if (calls_.on_deadline)
      with(session, [&](Session& self) { calls_.on_deadline(peer, self, why); });
  }
  void on_closing(connection& peer, void* session) const override {
    if (calls_.on_closing) with(session, [&](Session& self) { calls_.on_closing(peer, self); });
  }
  bool on_close(connection& peer, void* session, const close_record& record) const override {
    if (calls_.on_close) with(session, [&](Session& self) { calls_.on_close(peer, self, record); });
    return true;
  }
  bool announces_close() const noexcept override { return calls_.announces_close; }
  bytes refusal() const noexcept override { return bytes{calls_.refusal}; }

 private:
  /// An empty session is not stored: it has nothing to remember.
  template <class F>
  static decltype(auto) with(void* session, F&& f) {
    if constexpr (std::is_empty_v<Session>) {
      Session none;
      return f(none);
    } else {
      return f(*static_cast<Session*>(session));
    }
  }
  callbacks<Session> calls_;
};

/// A coroutine as the loop sees it. Its session knows the suspended coroutine and what it waits
/// for.
class coroutine_handler : public connection_handler {
 public:
  virtual task<> start(connection& peer) const = 0;

  std::size_t session_size() const noexcept final;
  void create_session(void* where) const final;
  void destroy_session(void* session) const noexcept final;
  bool on_open(connection& peer, void* session) const final;
  std::size_t on_data(connection& peer, void* session, bytes data) const final;
  void on_writable(connection& peer, void* session) const final;
  void on_flushed(connection& peer, void* session) const final;
  bool on_peer_closed(connection& peer, void* session) const final;
  void on_deadline(connection& peer, void* session, close_reason why) const final;
  void on_closing(connection& peer, void* session) const final;
  bool on_close(connection& peer, void* session, const close_record& record) const final;
};

template <class F>
class function_coroutine_handler final : public coroutine_handler {
 public:
  explicit function_coroutine_handler(F function) : function_{std::move(function)} {}
  task<> start(connection& peer) const override { return function_(peer); }

 private:
  F function_;
};

/// What a service does with its connections: `callbacks<Session>`, or a coroutine
/// `dwell::task<> f(dwell::connection&)`. The server keeps one and calls it as const from every
/// loop.
class handler {
 public:
  template <class Session>
  handler(callbacks<Session> calls)
      : target_{std::make_shared<callback_handler<Session>>(std::move(calls))} {}

  template <class F>
  requires(!std::derived_from<std::remove_cvref_t<F>, handler> &&
           !std::convertible_to<F, std::shared_ptr<const connection_handler>>) handler(F f) {
    static_assert(std::is_invocable_r_v<task<>, const F&, connection&>,
                  "dwell: a handler is dwell::callbacks<Session> or a coroutine "
                  "dwell::task<> f(dwell::connection&), callable as const");
    if constexpr (std::is_invocable_r_v<task<>, const F&, connection&>)
      target_ = std::make_shared<function_coroutine_handler<F>>(std::move(f));
  }

  /// One that is made already.
  static handler of(std::shared_ptr<const connection_handler> made) noexcept {
    return handler{std::move(made)};
  }

  const connection_handler& operator*() const noexcept { return *target_; }
  const connection_handler* operator->() const noexcept { return target_.get(); }

 private:
  explicit handler(std::shared_ptr<const connection_handler> made) noexcept
      : target_{std::move(made)} {}
  std::shared_ptr<const connection_handler> target_;
};

}  // namespace dwell::inline v0
