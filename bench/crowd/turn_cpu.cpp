#include "turn_cpu.hpp"

#include <ctime>
#include <memory>
#include <mutex>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {

std::mutex adding;
std::vector<std::unique_ptr<counted>> of_threads;

struct watch {
  int set = -1;  // where the thread waits, not only looks
  std::uint64_t began = 0;
  counted* counts = nullptr;
};
thread_local watch mine;

std::uint64_t thread_cpu() noexcept {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(used.tv_nsec);
}

int wait(int set, epoll_event* events, int most, int timeout) noexcept {
  return static_cast<int>(::syscall(SYS_epoll_pwait, set, events, most, timeout, nullptr, 8));
}

}  // namespace

extern "C" int epoll_wait(int set, epoll_event* events, int most, int timeout) {
  if (timeout != 0 && mine.set < 0) {
    const std::lock_guard lock{adding};
    mine.counts = of_threads.emplace_back(std::make_unique<counted>()).get();
    mine.set = set;
  }
  if (set != mine.set) return wait(set, events, most, timeout);
  if (mine.began != 0) mine.counts->add(thread_cpu() - mine.began);
  const int ready = wait(set, events, most, timeout);
  mine.began = thread_cpu();
  return ready;
}

sum_of_counted turn_cpu() {
  const std::lock_guard lock{adding};
  sum_of_counted all;
  for (const auto& each : of_threads) all.add(*each);
  return all;
}
