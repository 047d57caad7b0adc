#pragma once

#include "plan.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace load {

/// Says on standard error what is being done, how far that is, and how long it will take: on a
/// terminal in one line that changes, otherwise a line each.
class progress {
 public:
  /// So many things of the same length. An estimate: there may be more, or less.
  struct step {
    std::size_t count = 0;
    nanoseconds each{0};
  };

  explicit progress(std::vector<step> steps);
  /// The next thing of step `which`; steps before it are over.
  void begin(std::size_t which, const std::string& what);
  void finish();

 private:
  nanoseconds left() const;

  std::vector<step> steps_;
  std::vector<std::size_t> begun_;
  std::size_t current_ = 0;
  std::size_t number_ = 0;
  bool terminal_;
};

}  // namespace load
