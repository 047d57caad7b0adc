#pragma once

#include <dwell/connection/handler.hpp>
#include <dwell/connection/suspension.hpp>

#include "connection/coroutine_session.hpp"

#include <coroutine>
#include <utility>

namespace dwell::inline v0 {

/// The session of an outbound connection that has no coroutine of its own: those of others await
/// it. Who waits is resumed as a call of the connection, or loop, that its coroutine belongs to.
struct awaited_session final : coroutine_session {
  /// One wait for this connection; ends with whoever waits.
  class wait final : public suspension {
   public:
    bool pending() const noexcept { return suspended(); }
    void begin(std::coroutine_handle<> waiter) noexcept { suspend(waiter); }
    void finish() noexcept { resume(); }
    void forget() noexcept { give_up(); }
    using suspension::has_ended;

   private:
    void connection_ended() override { resume_ended(); }
  };

  wait read_wait;
  wait write_wait;
  bool may_read = false;  // what is waited for is there
  bool may_write = false;
  bool owned = true;

  static awaited_session& of(slot& c) noexcept { return *static_cast<awaited_session*>(c.session); }

  void await_input(std::coroutine_handle<> waiter) noexcept;
  void await_room(std::coroutine_handle<> waiter, write_operation::until until) noexcept;
  void wrote(write_operation::until reached) noexcept;
  /// Resumes who waits for what is there. Not inside a handler call; may end the session.
  static void resume_ready(slot& c) noexcept;
};

/// What a loop calls for such connections.
class awaited_handler final : public connection_handler {
 public:
  std::size_t session_size() const noexcept override { return sizeof(awaited_session); }
  void create_session(void* where) const override { ::new (where) awaited_session; }
  void destroy_session(void* session) const noexcept override;
  bool on_open(connection& peer, void* session) const override;
  std::size_t on_data(connection& peer, void* session, bytes data) const override;
  void on_writable(connection& peer, void* session) const override;
  void on_flushed(connection& peer, void* session) const override;
  bool on_peer_closed(connection& peer, void* session) const override;
  void on_deadline(connection&, void*, close_reason) const override {}
  void on_closing(connection& peer, void* session) const override;
  bool on_close(connection& peer, void* session, const close_record& record) const override;
};

}  // namespace dwell::inline v0
