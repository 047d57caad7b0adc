#include "pinger.hpp"

#include <algorithm>
#include <cstring>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

pinger::pinger(const target& to) : fd_(connect_now(to)) {
  if (fd_ < 0) throw std::runtime_error(std::string("ping: connect: ") + std::strerror(-fd_));
  thread_ = std::thread([this] { run(); });
}

void pinger::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  shutdown(fd_, SHUT_RDWR);  // wakes a recv that waits
  thread_.join();
  close(fd_);
}

void pinger::run() {
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{.sched_priority = 2};  // above the driver, should that be real-time
  real_time_ = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
  while (!stopping_) {
    char byte = 'p';
    const nanoseconds sent = now();
    if (send(fd_, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd_, &byte, 1, 0) != 1) {
      broken_ = !stopping_;
      return;
    }
    samples_.push_back({sent, now()});
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

nanoseconds pinger::worst_between(nanoseconds from, nanoseconds to) const {
  nanoseconds worst = 0;
  for (const sample& s : samples_)
    if (s.answered >= from && s.sent <= to) {
      worst = std::max(worst, s.answered - std::max(s.sent, from));
    }
  return worst;
}
