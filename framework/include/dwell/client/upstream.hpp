#pragma once

#include <dwell/client/connect_error.hpp>
#include <dwell/client/connect_options.hpp>
#include <dwell/connection/callbacks.hpp>
#include <dwell/connection/handler.hpp>

#include <memory>
#include <new>
#include <utility>

namespace dwell::inline v0 {

class destination;

/// What one connection on its way brings along.
class connect_start {
 public:
  virtual ~connect_start() = default;
  virtual void create_session(void* where) = 0;
  virtual void failed(const connect_error& why) = 0;
};

/// The part of an upstream that is the same for all sessions.
class upstream_base {
 protected:
  upstream_base(const connect_options& to, handler what);
  void connect(std::unique_ptr<connect_start> start) const;

 private:
  std::shared_ptr<const destination> to_;
};

/// Where many connections go, and the callbacks that serve them: at the price per request that
/// accepted connections have. A value; copies are the same upstream; may be used on all loops of
/// its client at the same time. Must live until that client, or server, has ended. Throws
/// std::invalid_argument, naming the field, for an option out of bounds.
template <class Session = no_session>
class upstream : private upstream_base {
 public:
  /// `on_failed` runs instead of on_open, with the session that never got a connection.
  upstream(const connect_options& to, callbacks<Session> calls,
           callback<void(Session&, const connect_error&)> on_failed = {})
      : upstream_base{to, handler{std::move(calls)}},
        on_failed_{std::make_shared<const callback<void(Session&, const connect_error&)>>(
            std::move(on_failed))} {}

  /// Begins a connection on the loop that runs: from a callback or coroutine of it. `session` is
  /// what it starts with. on_open or on_failed tells, never inside this call. Allocates.
  void connect(Session session = {}) const {
    upstream_base::connect(std::make_unique<start>(std::move(session), on_failed_));
  }

 private:
  class start final : public connect_start {
   public:
    start(Session session,
          std::shared_ptr<const callback<void(Session&, const connect_error&)>> on_failed)
        : session_{std::move(session)}, on_failed_{std::move(on_failed)} {}
    void create_session(void* where) override {
      if constexpr (!std::is_empty_v<Session>) ::new (where) Session(std::move(session_));
    }
    void failed(const connect_error& why) override {
      if (*on_failed_) (*on_failed_)(session_, why);
    }

   private:
    Session session_;
    std::shared_ptr<const callback<void(Session&, const connect_error&)>> on_failed_;
  };

  std::shared_ptr<const callback<void(Session&, const connect_error&)>> on_failed_;
};

template <class Session, class... Rest>
upstream(const connect_options&, callbacks<Session>, Rest&&...) -> upstream<Session>;

}  // namespace dwell::inline v0
