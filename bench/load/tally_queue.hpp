#pragma once

#include "tally.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace load {

/// Takes tallies from the thread that counts to the one that adds up, and back for use again. Its
/// lock is taken once a second, not for each request.
class tally_queue {
 public:
  /// Hands over what is full, for an empty one.
  std::unique_ptr<tally> exchange(std::unique_ptr<tally> full);
  /// The next one, in order; waits for it. Null: none came in that time.
  std::unique_ptr<tally> take(nanoseconds patience);
  /// What take() gave, no longer needed.
  void recycle(std::unique_ptr<tally> used);

 private:
  std::mutex lock_;
  std::condition_variable came_;
  std::vector<std::unique_ptr<tally>> full_;
  std::vector<std::unique_ptr<tally>> empty_;
};

}  // namespace load
