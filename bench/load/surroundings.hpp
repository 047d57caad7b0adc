#pragma once

#include "plan.hpp"
#include "result.hpp"

#include <memory>

namespace load {

/// Looks at both ends of a run from outside: states, CPU time, ports, packets. For one thread,
/// which is in the client's network and does not put the load; what that thread uses is not counted
/// as the client's.
class surroundings {
 public:
  /// Before the first connection.
  explicit surroundings(const plan& of);
  surroundings(const surroundings&) = delete;
  surroundings& operator=(const surroundings&) = delete;
  ~surroundings();

  /// What stands in the way of a fair run, in words, to be said before it. complete() adds it to
  /// the flags and notes.
  const std::vector<std::string>& warnings() const noexcept;
  /// What there was since the call before. Some ms when there are many sockets: docs/load.md.
  void sample(second& into);
  /// Of the whole run, once it is over: CPU time of both ends and ports, from result.seconds that
  /// are no warm-up; what could not be seen. Then judge() may follow.
  void complete(run_result& result);

 private:
  struct ends;
  std::unique_ptr<ends> ends_;
};

/// Says in words what makes the figures doubtful, and what to bear in mind: adds to
/// run_result::flags and notes. Pure.
void judge(run_result& result);

}  // namespace load
