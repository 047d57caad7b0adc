#pragma once

#include <dwell/base/unique_function.hpp>
#include <dwell/connection/connection.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace dwell::inline v0 {

class engine;
class loop;
class suspension;

/// What a server asks of its loops at a time when memory may have run out.
enum class standing_order : std::uint8_t {
  look_for_room = 1,    ///< whether connections wait for a place, or are let in
  pause_accepting = 2,  ///< for a moment: the system has no descriptor, or no memory, for more
  heed_pressure = 4,    ///< its level has changed
  watch_pressure = 8,   ///< there is some
};

/// How other threads reach a loop: functions to run on it, in order, woken once per batch. Outlives
/// the loop where a dwell::owed still points to it; after close() everything is refused.
class mailbox {
 public:
  mailbox(engine& sleeper, std::size_t capacity) noexcept
      : sleeper_{&sleeper}, capacity_{capacity} {}

  /// False when `capacity` posts wait already, or the loop has ended; then `fn` is left alone.
  bool post(unique_function<void(loop&)>& fn);
  /// Never refused while the loop lives: the server's own orders, and answers no longer owed, which
  /// are bounded by what caused them.
  void order(unique_function<void(loop&)> fn);

  /// Needs no memory. Before it is carried out the same one more than once is one.
  void order(standing_order what) noexcept;

  /// The loop goes on with it: as order(), in a list of its own that needs no memory.
  void resume(suspension& which) noexcept;

  /// The next one to go on with, or null. On the loop's thread.
  suspension* take_resumed() noexcept;
  /// The standing orders since the last time, as a mask. On the loop's thread.
  std::uint8_t take_standing() noexcept { return standing_.exchange(0, std::memory_order_acquire); }
  /// Takes everything that waits. On the loop's thread.
  std::vector<unique_function<void(loop&)>> take();
  /// The loop ends: what waits is destroyed here.
  void close();

 private:
  void push(std::unique_lock<std::mutex>& held, unique_function<void(loop&)> fn);

  std::mutex mutex_;
  engine* sleeper_;  // null once closed
  std::atomic<std::uint8_t> standing_{0};
  std::size_t capacity_;
  std::vector<unique_function<void(loop&)>> waiting_;
  suspension* resumed_ = nullptr;  // first, and last, of those to go on with
  suspension* last_resumed_ = nullptr;
};

}  // namespace dwell::inline v0
