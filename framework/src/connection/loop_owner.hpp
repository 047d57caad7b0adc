#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <cstdint>

namespace dwell::inline v0 {

class loop;
class offload_job;
class server;
struct service;
struct slot;

/// What the loops of one server ask of it. Called from every loop's thread.
class loop_owner {
 public:
  /// A new connection wants in. False: server_options::connections are open.
  virtual bool admit() noexcept = 0;
  /// The same, for one that takes the place of a connection just closed.
  virtual void admit_over_limit() noexcept = 0;
  /// A slot is free again, or was not needed.
  virtual void readmit() noexcept = 0;
  /// Nobody is let in until a slot is free.
  virtual void wait_for_room() noexcept = 0;
  virtual bool waits_for_room() const noexcept = 0;
  /// Where an accepted connection goes; null: to the loop that accepted it.
  virtual loop* deal(loop& from, const service& what) noexcept = 0;
  /// Accepting hit a limit that will last: pauses it on all loops for a moment.
  virtual void pause_accepting() noexcept = 0;
  virtual duration accept_pause() const noexcept = 0;
  virtual void log_close(const slot& which, const close_record& record) noexcept = 0;
  virtual void log_failure(const slot& which, const char* what) noexcept = 0;
  /// A coroutine that belongs to no connection has ended with an exception.
  virtual void task_failed(const char* what) noexcept = 0;
  virtual void log_accept_failed(int error, std::uint64_t now) noexcept = 0;
  /// The watchdog names a connection, or a released slot, that its handler has held for so long.
  virtual void log_held(const slot& which, duration for_so_long) noexcept = 0;
  /// Calls job.run_and_resume() on another thread. Throws when it cannot.
  virtual void run_off_loop(offload_job& job) = 0;
  virtual server& facade() noexcept = 0;

 protected:
  ~loop_owner() = default;
};

}  // namespace dwell::inline v0
