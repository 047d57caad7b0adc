#pragma once

#include <dwell/connection/task.hpp>

#include <coroutine>

namespace asio {
class io_context;
}

namespace dwell::inline v0 {

class connection;
class loop;
class mailbox;

/// Something that waits for a moment on a loop's wheel. Owned by whoever starts it.
class timer_target {
 public:
  virtual void fire() = 0;

 protected:
  ~timer_target() = default;
};

/// What a handler's coroutine waits for other than its peer: a moment, a worker thread, an
/// operation of Asio. The base of awaiters; lives in the coroutine's frame. The connection knows
/// it, and tells it when it has ended. For the loop's thread, but for resume_later().
class suspension {
 public:
  suspension(const suspension&) = delete;
  suspension& operator=(const suspension&) = delete;

  /// The io_context that carries the loop of `peer`; null in simulation.
  static asio::io_context* asio_host(connection& peer) noexcept;
  /// The one that carries the loop of this thread, on which a coroutine or callback runs.
  static asio::io_context* current_asio_host() noexcept;

 protected:
  suspension() noexcept = default;
  virtual ~suspension();

  /// From await_suspend: `sleeper` belongs to the connection whose handler runs.
  void suspend(std::coroutine_handle<> sleeper) noexcept;
  /// Goes on with the coroutine, as a handler call of its own: not while another one runs.
  void resume() noexcept;
  /// Does that in one of the loop's next turns. From any thread; once. Needs no memory.
  void resume_later() noexcept;
  /// Goes on with the coroutine at once: for connection_ended().
  void resume_ended();
  /// The same, from a callback of the connection that it belongs to.
  void resume_within();
  /// Whether the waiting is for the peer: then no answer is owed meanwhile. From suspend() until it
  /// is resumed.
  void waits_for_peer(bool on) noexcept;
  /// Not suspended after all: await_suspend is about to return false or to throw.
  void give_up() noexcept;

  /// True between suspend() and whatever ends it.
  bool suspended() const noexcept { return static_cast<bool>(sleeper_); }
  /// Valid from suspend() on.
  loop& host() const noexcept;
  asio::io_context* asio_host() const noexcept;
  bool has_ended() const noexcept;

 private:
  friend coroutine;
  friend loop;
  friend mailbox;
  void link(suspension*& list) noexcept;
  void unlink() noexcept;
  /// The connection's descriptor is released. Whoever can should stop waiting.
  virtual void connection_ended() {}

  coroutine* waiting_ = nullptr;
  std::coroutine_handle<> sleeper_;
  suspension* next_ = nullptr;
  suspension** link_ = nullptr;
  suspension* next_resumed_ = nullptr;  // the mailbox's
};

}  // namespace dwell::inline v0
