#include "progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace load {
namespace {

std::string in_words(nanoseconds time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  if (seconds < 60) return fmt::format("{} s", seconds);
  return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
}

}  // namespace

progress::progress(std::vector<step> steps)
    : steps_{std::move(steps)}, begun_(steps_.size()), terminal_{::isatty(STDERR_FILENO) == 1} {}

void progress::begin(std::size_t which, const std::string& what) {
  current_ = std::min(which, steps_.size() - 1);
  const std::string rest = in_words(left());
  ++begun_[current_];
  std::size_t all = ++number_;
  for (std::size_t i = current_; i < steps_.size(); ++i) {
    all += steps_[i].count - std::min(begun_[i], steps_[i].count);
  }
  const std::string line = fmt::format("[{}/{}] {}; about {} left", number_, all, what, rest);
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void progress::finish() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

nanoseconds progress::left() const {
  nanoseconds sum{0};
  for (std::size_t i = current_; i < steps_.size(); ++i) {
    const std::size_t count = steps_[i].count - std::min(begun_[i], steps_[i].count);
    sum += steps_[i].each * static_cast<std::int64_t>(count);
  }
  return sum;
}

}  // namespace load
