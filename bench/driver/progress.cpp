#include "progress.hpp"

#include <cstdio>
#include <unistd.h>

progress::progress() : live_(isatty(STDERR_FILENO) != 0) {}

progress::~progress() {
  if (live_ && shown_ != 0) std::fputs("\r\033[K", stderr);
}

void progress::show(nanoseconds at, const std::string& line) {
  shown_ = at;
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}
