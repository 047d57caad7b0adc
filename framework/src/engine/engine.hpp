#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/net/endpoint.hpp>

#include "base/block_pool.hpp"
#include "deadline/tick.hpp"
#include "net/listener.hpp"
#include "net/outgoing.hpp"
#include "net/socket_address.hpp"
#include "net/tcp_facts.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <sys/uio.h>
#include <utility>

namespace asio {
class io_context;
}

namespace dwell::inline v0 {

/// What the engine keeps of one connection; lives in the connection's slot. `descriptor` is -1 once
/// released.
struct stream {
  int descriptor = -1;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< low half of the connection's generation: catches stale events
  /// What the owner wants to hear of. Set, then call engine::watch.
  bool wants_input = false;
  bool wants_output = false;
  /// TCP_CORK and TCP_LINGER2 = -1 are set, by inheritance from the listener or by a call.
  bool corked = false;
  bool no_time_wait = false;
  bool is_tcp = true;
  /// On its way out: only its arrival, or failure, is told (engine_events::on_connected).
  bool connecting = false;
  /// The engine's own: what the kernel's set holds for this descriptor, once it is enrolled.
  std::uint8_t registered = 0;
  bool enrolled = false;
};

struct received {
  enum class outcome : std::uint8_t { data, would_block, end, failed };
  outcome what = outcome::would_block;
  /// The queue may hold more than the buffer did.
  bool more = false;
  int error = 0;
  /// In the engine's input buffer: valid until the next receive, unless the buffer is taken.
  bytes data;
};

/// What is known of the time after a send.
enum class after_this : std::uint8_t { anything, fin, file };

struct sent {
  std::size_t count = 0;
  int error = 0;  ///< 0 also when the kernel took less than offered
};

struct sent_file {
  std::size_t count = 0;
  int error = 0;            ///< of the stream; 0 also when the kernel took less than offered
  bool unreadable = false;  ///< the file ends before these bytes, or cannot be read
};

/// The last call on a descriptor.
enum class release : std::uint8_t {
  fin,                    ///< close(): FIN, unless it is out already
  fin_without_time_wait,  ///< TCP_LINGER2 = -1, then close()
  reset,                  ///< SO_LINGER of 0, then close(): RST
};

class engine;

/// On what terms the next connection comes in.
enum class admission : std::uint8_t {
  free_place,   ///< there is room
  idle_leaves,  ///< an idle connection makes room once this one has really come
  refused,      ///< it is accepted only to be reset
  later,        ///< it waits in the accept queue
};

struct accepted {
  int descriptor = -1;
  std::uint32_t service = 0;
  socket_address peer;
  admission terms = admission::free_place;
};

/// Whom an engine tells. Called on the loop's thread, never from inside an engine call but
/// accept_queued().
class engine_events {
 public:
  /// For every open stream; only to rebuild a broken set.
  virtual void for_each_stream(void (*call)(engine&, stream&)) = 0;
  /// The stream an event was registered for, or null when it has gone.
  virtual stream* find(std::uint32_t slot, std::uint32_t generation) noexcept = 0;
  /// An event for this slot comes next.
  virtual void prefetch(std::uint32_t /*slot*/) noexcept {}
  /// Before anything else of a turn, the clock freshly stamped.
  virtual void on_turn_begin() = 0;
  /// Asked before each accept. All but `later` is taken back with unreserve() when no connection
  /// follows. `certain`: the queue is known to hold one.
  virtual admission reserve(bool certain) = 0;
  virtual void unreserve(admission unused) = 0;
  /// A connection that was reserved for, on the terms given then, after the whole batch was
  /// accepted: serve it, then enroll it.
  virtual void on_accept(const accepted& fresh) = 0;
  /// accept4 failed with an error that will last (EMFILE, ENFILE, ENOBUFS, ENOMEM).
  virtual void on_accept_failed(int error) = 0;
  virtual void on_received(stream& from, const received& input) = 0;
  /// A stream that is connecting has arrived; `in_error`: or failed,
  /// engine::connect_result() tells how.
  virtual void on_connected(stream& which, bool in_error) = 0;
  virtual void on_writable(stream& to) = 0;
  /// The peer's FIN on a stream that wants no input, what came before it not read.
  virtual void on_peer_fin(stream& /*from*/) {}
  /// HUP or ERR on a stream that wants no input; it has left the set.
  virtual void on_hangup(stream& from) = 0;
  /// The armed time has come. After a stall of over 100 ms, all I/O that was ready has been told
  /// first.
  virtual void on_time() = 0;
  /// After wake().
  virtual void on_wake() = 0;
  /// After each batch of events of any kind.
  virtual void on_turn_end() = 0;

 protected:
  ~engine_events() = default;
};

/// Sockets, readiness and time for one loop. The seam: everything above it runs the same on the
/// kernel (epoll_engine) and on a seeded network in virtual time (simulated_engine).
/// Single-threaded but for wake().
class engine {
 public:
  static constexpr std::size_t input_buffer_size = std::size_t{64} * 1024;

  explicit engine(block_pool& pool) : pool_{&pool}, input_buffer_{pool.take(input_buffer_size)} {}
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  virtual ~engine() { pool_->give(input_buffer_, input_buffer_size); }

  void attach(engine_events& events) noexcept { events_ = &events; }

  /// Milliseconds, stamped before and after each batch of events; never reads a clock itself.
  std::uint64_t now() const noexcept { return now_; }
  /// Stamps anew, after work that may have taken long.
  virtual void restamp() noexcept {}
  tick now_tick() const noexcept { return tick{static_cast<std::uint32_t>(now_)}; }
  /// The wall clock in whole seconds; asked once in each of them.
  std::chrono::sys_seconds date() noexcept {
    if (now_ >= date_changes_at_) {
      const auto exact = read_date();
      date_ = std::chrono::floor<std::chrono::seconds>(exact);
      date_changes_at_ = now_ + 1'000 - static_cast<std::uint64_t>((exact - date_).count());
    }
    return date_;
  }
  /// How long before this turn's stamp the previous turn ended beyond what was waited for on
  /// purpose: above 100 ms the process was stopped or starved.
  std::uint64_t stalled_for() const noexcept { return stalled_for_; }
  /// The last batch of events was full, so that others probably wait behind it.
  bool crowded() const noexcept { return crowded_; }
  /// Calls on_time() at `due`, or later; only an earlier one than armed costs anything.
  virtual void arm(std::uint64_t due) = 0;
  /// Calls on_wake() soon. From any thread.
  virtual void wake() noexcept = 0;
  /// The Asio loop that carries this engine; null in simulation.
  virtual asio::io_context* host() noexcept { return nullptr; }

  /// Opens a listener whose connections come with `service`. Throws std::system_error.
  virtual endpoint listen(std::uint32_t service, const listener_options& options) = 0;
  virtual void set_accepting(bool on) = 0;
  /// Takes what waits in the listeners' queues now, without a turn in between; not while accepting
  /// is paused.
  virtual void accept_queued() = 0;
  virtual void close_listeners() = 0;

  /// Begins to connect. `fresh` gets its descriptor; enroll it then, wanting output. Otherwise what
  /// went wrong.
  virtual outgoing_socket connect(stream& fresh, const raw_address& to,
                                  const outgoing_options& how) noexcept = 0;
  /// How the way to `to` ended, after on_connected(), with what that was told: 0, or an errno
  /// value.
  virtual int connect_result(const stream& which, const raw_address& to,
                             bool in_error) noexcept = 0;

  /// From now on the stream is watched. Before, watch() does nothing: a connection that ends in its
  /// first exchange never enters the kernel's set. False: the kernel refused (ENOSPC, ENOMEM).
  bool enroll(stream& what) noexcept {
    what.enrolled = true;
    return watch(what);
  }
  /// Makes sure that what an enrolled stream wants is watched. Input it no longer wants is dropped
  /// when it next comes anyway, so that a short pause costs nothing. False as enroll().
  virtual bool watch(stream& what) noexcept = 0;
  /// One recv into the input buffer.
  virtual received receive(stream& from) noexcept = 0;
  /// Whether that would bring bytes; they stay where they are.
  virtual bool has_input(const stream& which) noexcept = 0;
  /// One send. What `follows` may share its last segment.
  virtual sent send(stream& to, std::span<const iovec> data, after_this follows) noexcept = 0;
  /// One sendfile: bytes of a regular file, from `offset`. Where they are not in memory it waits
  /// for the disk.
  virtual sent_file send_file(stream& to, int file, std::uint64_t offset,
                              std::size_t count) noexcept = 0;
  /// Holds back a partial segment, so that the last bytes and our FIN share one; or lets it go.
  virtual void cork(stream& what, bool on) noexcept = 0;
  virtual void shutdown_send(stream& what) noexcept = 0;
  /// Bytes sent that the peer's kernel has not acknowledged (SIOCOUTQ); our FIN counts as one.
  virtual std::uint32_t unacknowledged(const stream& what) noexcept = 0;
  virtual std::optional<tcp_facts> facts(const stream& what) noexcept = 0;
  virtual endpoint local_endpoint(const stream& what) const = 0;
  virtual void release(stream& what, dwell::release how) noexcept = 0;
  /// Whether TCP_LINGER2 = -1 works here; asked once.
  virtual bool can_avoid_time_wait() const noexcept = 0;

  /// Makes a late use of delivered bytes visible in debug builds: they are not the handler's any
  /// more.
  void spoil([[maybe_unused]] bytes delivered) noexcept {
#ifndef NDEBUG
    if (delivered.data() == input_buffer_) {
      std::memset(input_buffer_, 0xDB, delivered.size());
    }
#endif
  }

  /// Whether `data` lies in the input buffer, and so goes with it.
  bool holds(bytes data) const noexcept {
    return !std::less<>{}(data.data(), input_buffer_) &&
           std::less<>{}(data.data(), input_buffer_ + input_buffer_size);
  }
  /// Hands the input buffer to the caller (input_buffer_size bytes of the loop's pool) and takes
  /// another: whoever needs received bytes beyond the callback keeps them without a copy. Throws
  /// std::bad_alloc.
  std::byte* take_input_buffer() {
    std::byte* fresh = pool_->take(input_buffer_size);
    return std::exchange(input_buffer_, fresh);
  }

 protected:
  engine_events& events() const noexcept { return *events_; }
  std::byte* input_buffer() const noexcept { return input_buffer_; }

  virtual std::chrono::sys_time<std::chrono::milliseconds> read_date() const noexcept = 0;

  std::uint64_t now_ = 0;
  std::uint64_t stalled_for_ = 0;
  bool crowded_ = false;

 private:
  block_pool* pool_;
  std::byte* input_buffer_;
  std::chrono::sys_seconds date_{};
  std::uint64_t date_changes_at_ = 0;
  engine_events* events_ = nullptr;
};

}  // namespace dwell::inline v0
