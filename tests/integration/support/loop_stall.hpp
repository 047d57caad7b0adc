#pragma once

#include <dwell/dwell.hpp>

#include <condition_variable>
#include <mutex>

namespace dwell {

/// Holds a loop inside a handler: everything that comes meanwhile is there at once when it goes on.
/// Pass hold() to something that runs on the loop.
class loop_stall {
 public:
  /// On the loop's thread: returns when let_go() is called.
  void hold() {
    std::unique_lock lock{mutex_};
    held_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return let_go_; });
  }
  /// On the test's thread: returns when the loop is held.
  void wait_until_held() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return held_; });
  }
  void let_go() {
    const std::lock_guard lock{mutex_};
    let_go_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool let_go_ = false;
};

}  // namespace dwell
