#pragma once

#include "result.hpp"

#include <cstdio>
#include <deque>
#include <map>
#include <string>

namespace load {

/// Tells how a run goes: one block that is written anew each second on a terminal, otherwise a line
/// a second. To standard error, so that the result can go elsewhere.
class live_view {
 public:
  live_view(const plan& of, bool quiet, std::FILE* to = stderr);
  /// Takes the block away: the result follows.
  ~live_view();
  live_view(const live_view&) = delete;
  live_view& operator=(const live_view&) = delete;

  void show(const second& one);

 private:
  void show_line(const second& one, double length_s);
  void show_block(const second& one, double length_s);
  void erase();

  plan plan_;
  std::FILE* to_;  ///< null: quiet
  bool terminal_;
  double until_s_ = 0;
  int lines_ = 0;  ///< on the screen
  std::uint64_t failed_ = 0;
  std::deque<double> rates_;
  std::deque<double> p99s_;
};

}  // namespace load
