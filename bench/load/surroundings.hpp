#pragma once

#include "plan.hpp"
#include "result.hpp"

#include <memory>

namespace load {

/// Looks at both ends of a run from outside: states, CPU time, ports, packets. For one thread,
/// which is not one that puts the load.
class surroundings {
 public:
  explicit surroundings(const plan& of);
  surroundings(const surroundings&) = delete;
  surroundings& operator=(const surroundings&) = delete;
  ~surroundings();

  /// What there was since the call before.
  void sample(second& into);
  /// Of the whole run, once it is over.
  void complete(run_result& result);

 private:
  struct ends;
  std::unique_ptr<ends> ends_;
};

/// Says in words what makes the figures doubtful: run_result::flags.
void judge(run_result& result);

}  // namespace load
