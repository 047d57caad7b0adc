#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <cstdint>

namespace dwell::inline v0 {

class loop;
class offload_job;
class server;
class socket_address;
struct service;
struct slot;

/// Who is let in.
enum class gate : std::uint8_t {
  open,       ///< whoever finds a place; the others wait, or as server_options::full says
  impatient,  ///< whoever finds a place; the others are refused
  refusing,   ///< nobody, and they are told
  closed,     ///< nobody; they wait in the accept queue
};

/// What the loops of one server ask of it. Called from every loop's thread.
class loop_owner {
 public:
  /// Whether this loop may take another descriptor, `first` of a batch or one more; if not,
  /// somebody else is asked to accept.
  virtual bool has_room(const loop& which, bool first) noexcept = 0;
  /// A new connection wants in. False: server_options::connections are open.
  virtual bool admit() noexcept = 0;
  /// The same, for one that takes the place of a connection just closed.
  virtual void admit_over_limit() noexcept = 0;
  /// A slot is free again, or was not needed.
  virtual void readmit() noexcept = 0;
  /// Nobody is let in until a slot is free.
  virtual void wait_for_room() noexcept = 0;
  virtual bool waits_for_room() const noexcept = 0;

  // ── pressure ──
  virtual gate accepting() const noexcept = 0;
  /// Idle deadlines are shorter at the moment.
  virtual bool shrinks_idle() const noexcept = 0;
  /// Idle connections are to leave although there are places.
  virtual bool evicts() const noexcept = 0;
  /// An idle connection had to leave.
  virtual void evicted() noexcept = 0;
  /// A connection was not let in.
  virtual void refused() noexcept = 0;
  /// A connection has got this descriptor.
  virtual void saw_descriptor(int number) noexcept = 0;
  /// The loop's buffers, sessions and frames hold so many bytes more, or less.
  virtual void memory_changed(std::int64_t bytes) noexcept = 0;
  /// A turn was longer than the server finds bearable.
  virtual void turn_was_long(duration length) noexcept = 0;
  /// There is pressure: it is looked at again and again, on this loop.
  virtual void watch_pressure() noexcept = 0;

  /// Where an accepted connection goes; null: to the loop that accepted it.
  virtual loop* deal(loop& from, const service& what) noexcept = 0;
  /// Accepting hit a limit of `where` that will last: pauses it for a moment, on all loops that it
  /// concerns. `relieved`: idle connections have left for it.
  virtual void pause_accepting(loop& where, bool relieved) noexcept = 0;
  virtual duration accept_pause() const noexcept = 0;
  virtual void log_close(const slot& which, const close_record& record) noexcept = 0;
  virtual void log_failure(const slot& which, const char* what) noexcept = 0;
  /// A coroutine that belongs to no connection has ended with an exception.
  virtual void task_failed(const char* what) noexcept = 0;
  virtual void log_accept_failed(int error, std::uint64_t now) noexcept = 0;
  /// `peer` has been refused: it is none of the service's proxies.
  virtual void log_untrusted(const service& what, const socket_address& peer,
                             std::uint64_t now) noexcept = 0;
  /// The watchdog names a connection, or a released slot, that its handler has held for so long.
  virtual void log_held(const slot& which, duration for_so_long) noexcept = 0;
  /// Calls job.run_and_resume() on another thread. Throws when it cannot.
  virtual void run_off_loop(offload_job& job) = 0;
  virtual server& facade() noexcept = 0;

 protected:
  ~loop_owner() = default;
};

}  // namespace dwell::inline v0
