#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

namespace dwell {

/// How a child process ended.
struct child_result {
  int exit_code = -1;  ///< -1: by a signal
  int signal = 0;
  std::string said;  ///< what it wrote with say()
};

/// A forked process, for what a test must not do to its own: limits, signals, namespaces. Its
/// failed expectations are printed there and then; wait_for_child() fails the test for them.
class child {
 public:
  /// Runs `body` in a child; its return value is the exit code.
  explicit child(const std::function<int(child&)>& body);
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  /// Kills it, if nobody has waited for it.
  ~child();

  pid_t id() const noexcept { return id_; }
  /// In the child: tells the parent something.
  void say(const std::string& text) const;
  /// In the parent: the next `say`; empty when it has ended.
  std::string hear();
  /// Waits for the end.
  child_result wait();

 private:
  pid_t id_ = -1;
  int to_parent_ = -1;
  int from_child_ = -1;
};

/// Runs a part of a test in a child: failures there are failures here. A skip (GTEST_SKIP) there is
/// one here.
void in_child(const std::function<void()>& part);

}  // namespace dwell
