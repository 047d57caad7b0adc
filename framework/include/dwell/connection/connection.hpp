#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/base/unique_function.hpp>
#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_reason.hpp>
#include <dwell/connection/connection_id.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/endpoint.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace dwell::inline v0 {

class connection;
class server;
class mailbox;
class task_promise_base;
struct service_options;
struct file_part;
struct tls_facts;
template <class T>
class task;

/// Awaited: bytes from the peer. See connection::read().
class [[nodiscard]] read_operation {
 public:
  explicit read_operation(connection& peer) noexcept : peer_{&peer} {}
  bool await_ready() noexcept;
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> reader) noexcept {
    suspend(reader);
  }
  bytes await_resume() noexcept;

 private:
  void suspend(std::coroutine_handle<> reader) noexcept;
  connection* peer_;
};

/// Awaited: room for more output. See connection::write() and connection::flush().
class [[nodiscard]] write_operation {
 public:
  enum class until : std::uint8_t { below_high_watermark, flushed };
  write_operation(connection& peer, until goal) noexcept : peer_{&peer}, goal_{goal} {}
  bool await_ready() noexcept;
  template <std::derived_from<task_promise_base> Promise>
  void await_suspend(std::coroutine_handle<Promise> writer) noexcept {
    suspend(writer);
  }
  bool await_resume() noexcept;

 private:
  void suspend(std::coroutine_handle<> writer) noexcept;
  connection* peer_;
  until goal_;
};

/// While it lives, an answer is owed: the connection is in its handle phase, and neither idle nor
/// free to end its exchange. Move it with the job that will answer. May be destroyed on any thread.
class [[nodiscard]] owed {
 public:
  owed() noexcept = default;
  owed(owed&&) noexcept = default;
  owed& operator=(owed&& other) noexcept;
  ~owed();

 private:
  friend class connection;
  owed(std::shared_ptr<mailbox> where, connection_id id) noexcept
      : where_{std::move(where)}, id_{id} {}
  std::shared_ptr<mailbox> where_;
  connection_id id_;
};

/// One connection, as its handler sees it. Owned by its loop. A reference is valid for the life of
/// the handler's coroutine, and on its loop from on_open until on_close has returned; whatever
/// lasts longer keeps id(). Every function is for the loop's thread only; other threads use
/// server::post. Nothing here throws. No call runs user code: what it causes is queued, and runs in
/// the same turn of the loop after the running callback has returned.
class connection {
 public:
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // ── who and what ──
  connection_id id() const noexcept;
  dwell::server& server() const noexcept;
  /// Of the service that accepted it, or made of the connect_options of an outbound one; lives as
  /// long as the server. Deadlines as they are without set_deadline().
  const service_options& options() const noexcept;
  /// Allocates the text. The peer of a Unix socket is "unix:" and usually nothing more. With
  /// service_options::proxy_protocol the client that the proxy speaks for.
  endpoint peer_endpoint() const;
  /// The proxy that speaks for the peer: the other end of the socket. nullopt: that is the peer
  /// itself.
  std::optional<endpoint> proxy_endpoint() const;
  /// Asks the kernel (getsockname(2)); empty once the descriptor is gone.
  endpoint local_endpoint() const;
  /// The descriptor, or -1 once it is released. Dwell owns it: do not close it or change its flags.
  int native_handle() const noexcept;

  // ── how it is ──
  /// True until the end is decided: by close(), a deadline, the peer's reset, or a server that
  /// stops.
  bool is_open() const noexcept;
  /// Why no more bytes will come; nullopt while they may. `peer_closed` after the peer's FIN, when
  /// sending still works.
  std::optional<close_reason> reason() const noexcept;
  dwell::phase phase() const noexcept;
  /// Time since accept, or since it was connected.
  duration age() const noexcept;
  /// Time since the last byte in either direction.
  duration idle_for() const noexcept;
  /// Time until the deadline that counts now; nullopt: its phase's deadline is off.
  std::optional<duration> time_left() const noexcept;
  /// Its loop's clock, steady and the same for all loops: whole milliseconds, as of the event that
  /// is being handled. In simulation virtual. now() - age() is when it was accepted.
  std::chrono::steady_clock::time_point now() const noexcept;
  /// The wall clock, in whole seconds. In simulation it starts with the year 2000.
  std::chrono::sys_seconds date() const noexcept;
  std::uint64_t received() const noexcept;  ///< bytes
  std::uint64_t sent() const noexcept;      ///< bytes the kernel has taken
  /// Bytes of output the kernel has not taken yet, those of a file among them.
  std::size_t queued() const noexcept;
  /// There is room for output: false once sending is over, while a file is being sent, and from
  /// when the queue passes limits.high_watermark until it is below limits.low_watermark, which
  /// on_writable tells.
  bool is_writable() const noexcept;
  std::uint64_t exchanges() const noexcept;  ///< finished ones

  /// What the TLS handshake came to; null without TLS. Valid as long as the connection.
  const tls_facts* tls() const noexcept;

  // ── output ──
  /// Queues bytes, which are copied or sent before it returns; never waits. What one callback sends
  /// leaves in one system call. False once sending is over (close, shutdown_send, peer gone). Above
  /// limits.high_watermark reading stops until the queue is below limits.low_watermark; past
  /// limits.output the connection ends as a write timeout does.
  bool send(bytes data) noexcept;
  /// Sends part of a file (<dwell/connection/file.hpp>) after what is queued, without a copy of it
  /// in the process (sendfile(2)); with TLS it is read 64 KiB at a time. At most 256 KiB in a turn
  /// of the loop. Until its last byte is with the kernel is_writable() is false, and send() queues
  /// behind it; flush() waits for it. The descriptor is let go with the last byte, or with the
  /// connection. False once sending is over, and while another file is on its way. What is not in
  /// the page cache is read from the disk while the loop waits. A file that becomes shorter, or
  /// cannot be read, ends the connection as `handler_failed`, by abort: a cut answer must not look
  /// finished.
  bool send_file(file_part what) noexcept;
  /// Half-close: FIN after what is queued; receiving goes on.
  void shutdown_send() noexcept;

  // ── input (callbacks) ──
  /// No on_data until resume(). Bytes stay with the kernel, so the peer is slowed down; meanwhile
  /// the connection is in its handle phase.
  void pause() noexcept;
  void resume() noexcept;
  /// Ends this call of on_data although there is more it could do: what it does not consume comes
  /// again, without more having to arrive, after other connections have had their turn. So nobody
  /// has to wait for a peer that has sent a thousand requests at once.
  void yield() noexcept;
  /// Says that an answer is owed (see dwell::owed). Allocates nothing.
  owed owe() noexcept;

  // ── coroutines ──
  /// The next bytes, at least one; false when no more will come (reason() says why), and as soon as
  /// the close is decided, though it may take until deadlines.close. They belong to the connection
  /// and stay valid until the next read() on it, whatever is awaited in between. One at a time.
  read_operation read() noexcept { return read_operation{*this}; }
  /// send(), then waits while the queue is above limits.high_watermark. True when the bytes are
  /// queued or sent; says nothing about delivery. False when sending is over. One write() or
  /// flush() at a time.
  write_operation write(bytes data) noexcept {
    send(data);
    return {*this, write_operation::until::below_high_watermark};
  }
  /// Waits until the kernel has taken everything. False when a close was decided first.
  write_operation flush() noexcept { return {*this, write_operation::until::flushed}; }
  /// Runs a coroutine beside the callbacks, from one of which this is called: at once, until it
  /// first waits. It may await everything but read(); until it has ended an answer is owed, so
  /// deadlines.handle bounds it. Several may run, each with one write() or flush() at a time. The
  /// connection and its session stay until all have ended; an exception ends the connection as
  /// `handler_failed`. After the end of the connection it is destroyed unrun. Throws
  /// std::bad_alloc.
  void spawn(task<void> body);

  // ── time ──
  /// Replaces one of deadlines' values for this connection (login 5 s, afterwards 1 h); `off` is
  /// allowed. A value out of deadlines' range is clamped to it. Allocates on first use.
  void set_deadline(dwell::phase which, duration value) noexcept;
  /// Runs `fn` once after `delay` (≥ 0, at most 24 days), unless the connection has been released
  /// by then.
  void after(duration delay, unique_function<void(connection&)> fn);

  // ── the end ──
  /// Ends the connection after what is queued has left, as the service's close_plan says for
  /// `reason`, or by `method`. The first call wins; later ones do nothing.
  void close(close_reason reason = close_reason::finished) noexcept;
  void close(close_reason reason, close_method method) noexcept;

  // ── for protocols ──
  /// The handler itself says where messages begin and end, so that a raw stream's rule (an exchange
  /// ends when input is asked for after having sent) does not apply. Sticky; call it in on_open.
  void delimits_messages() noexcept;
  /// The first byte of a message has come: the read phase, absolute, starts (or starts anew).
  void message_started() noexcept;
  /// The message is whole: the handle phase until exchange_finished(), write() or owed say
  /// otherwise.
  void message_received() noexcept;
  /// Nothing of a message is here, and no answer is owed, but none was sent either: idle.
  void message_awaited() noexcept;
  /// Part of the answer is sent, and more follows: the handle phase starts anew, so that a long
  /// answer to a peer that takes it fast is not cut.
  void answer_goes_on() noexcept;
  /// The answer is sent as far as the handler is concerned. Counts one exchange; lifetime,
  /// limits.exchanges and drain take effect here. False when the connection ends with this
  /// exchange.
  bool exchange_finished() noexcept;
  /// True when the exchange under way will be the last (short_lived, limits.exchanges, lifetime,
  /// drain): the moment to announce it, if the protocol can. `more_came`: the peer has sent more
  /// already, which a drain answers first; the handler need not know of what the kernel still has.
  bool last_exchange(bool more_came = false) noexcept;
  /// The protocol has told the peer that the connection ends after this answer: peer_first is
  /// possible.
  void announced_close() noexcept;

 protected:
  connection() = default;
  ~connection() = default;
};

}  // namespace dwell::inline v0
