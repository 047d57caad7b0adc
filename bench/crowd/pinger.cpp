#include "pinger.hpp"

#include "logger.hpp"

#include <pthread.h>
#include <sched.h>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

pinger::pinger(dwell::endpoint to) : to_{std::move(to)}, loop_{{.logger = faults_only()}} {
  loop_.spawn([this] { return work(); });
  loop_.start();
}

pinger::~pinger() {
  over_ = true;
  loop_.wait();
}

double pinger::worst_ms(period in) const {
  return static_cast<double>(worst_[static_cast<std::size_t>(in)].load()) / 1e6;
}

dwell::task<> pinger::work() {
  // It is the server that is measured: where it is allowed, this does not wait for a core.
  const sched_param first{.sched_priority = 1};
  static_cast<void>(pthread_setschedparam(pthread_self(), SCHED_FIFO, &first));
  const dwell::connect_options there{.host = to_.address, .port = to_.port};
  auto peer = co_await dwell::connect(there);
  while (peer && !over_) {
    const auto began = steady::now();
    const std::size_t in = now_;
    if (!co_await peer->write("p")) break;
    const auto answer = co_await peer->read();
    if (!answer) break;
    const auto took = std::chrono::nanoseconds{steady::now() - began}.count();
    if (took > worst_[in]) worst_[in] = took;
    co_await dwell::sleep_for(1ms);
  }
  lives_ = over_.load();
}
