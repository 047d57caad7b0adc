// What it costs to enter a set of descriptors that another set watches, as an engine's on an
// io_context is, against a plain one. With two threads: the kernel takes one lock for all nested
// sets.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

class descriptor {
 public:
  explicit descriptor(int value) : value_{value} {
    if (value_ < 0) std::abort();
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { ::close(value_); }
  operator int() const noexcept { return value_; }

 private:
  int value_;
};

void control(int set, int operation, int what) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(set, operation, what, &event) != 0) std::abort();
}

// Argument: nested or not. One turn is a registration and the end of it.
void enter_and_leave(benchmark::State& state) {
  const descriptor outer{epoll_create1(0)};
  const descriptor set{epoll_create1(0)};
  const descriptor what{eventfd(0, EFD_NONBLOCK)};
  if (state.range(0) != 0) control(outer, EPOLL_CTL_ADD, set);
  for (auto _ : state) {
    control(set, EPOLL_CTL_ADD, what);
    control(set, EPOLL_CTL_DEL, what);
  }
}
BENCHMARK(enter_and_leave)->Arg(0)->Arg(1)->Threads(1)->Threads(2);

}  // namespace
