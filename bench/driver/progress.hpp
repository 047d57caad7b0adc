#pragma once
#include "clock.hpp"

#include <string>

// One live line on standard error, rewritten in place; nothing at all when that is no terminal.
class progress {
 public:
  progress();
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  // True at most four times a second.
  bool due(nanoseconds at) const { return live_ && at - shown_ >= second / 4; }
  void show(nanoseconds at, const std::string& line);

 private:
  bool live_;
  nanoseconds shown_ = 0;
};
