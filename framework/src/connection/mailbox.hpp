#pragma once

#include <dwell/base/unique_function.hpp>
#include <dwell/connection/connection.hpp>

#include <cstddef>
#include <mutex>
#include <vector>

namespace dwell::inline v0 {

class engine;
class loop;

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

  /// Takes everything that waits. On the loop's thread.
  std::vector<unique_function<void(loop&)>> take();
  /// The loop ends: what waits is destroyed here.
  void close();

 private:
  void push(std::unique_lock<std::mutex>& held, unique_function<void(loop&)> fn);

  std::mutex mutex_;
  engine* sleeper_;  // null once closed
  std::size_t capacity_;
  std::vector<unique_function<void(loop&)>> waiting_;
};

}  // namespace dwell::inline v0
