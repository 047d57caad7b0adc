#include "run.hpp"

#include <dwell/client/client.hpp>

#include "clock.hpp"
#include "commands.hpp"
#include "interrupt.hpp"
#include "surroundings.hpp"
#include "worker.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>

namespace load {
namespace {

using namespace std::chrono_literals;

double in_us(nanoseconds value) { return static_cast<double>(value.count()) / 1e3; }
double in_s(nanoseconds value) { return static_cast<double>(value.count()) / 1e9; }

/// All that the process may have: a connection is a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Leads the threads of one run.
class leader {
 public:
  using each_second = std::function<void(const second&)>;
  using each_warning = std::function<void(const std::string&)>;

  leader(const plan& of, const each_second& tell, const each_warning& warn)
      : tell_{tell}, around_{of}, window_{of}, threads_(of.threads) {
    if (warn) std::ranges::for_each(around_.warnings(), warn);
    result_.plan = of;
    for (std::uint32_t i = 0; i < of.threads; ++i) {
      workers_.push_back(std::make_unique<worker>(of, i, line_));
    }
    client_ = std::make_unique<dwell::client>(
        dwell::client_options{.threads = static_cast<int>(of.threads),
                              // What fails is counted; nobody could read it at this rate.
                              .logger = std::make_shared<spdlog::logger>("load")});
    for (std::uint32_t i = 0; i < of.threads; ++i) {
      client_->spawn([each = workers_[i].get()] { return each->run(); }, i);
    }
  }

  run_result run() {
    client_->start();
    if (open()) measure();
    leave();
    around_.complete(result_);
    judge(result_);
    return std::move(result_);
  }

 private:
  /// False: interrupted.
  bool open() {
    tally all;
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
      take(i, [&](const tally& part) {
        add(all, part);
        threads_[i].cpu_before = part.thread_cpu;
      });
    }
    result_.partial = interrupted();
    if (result_.partial) {
      line_.stop = true;
      return false;
    }
    if (all.open == 0) {
      line_.stop = true;
      throw std::runtime_error{
          "no connection to " + target_of(result_.plan) + ": " +
          (all.why_not_connected.empty() ? "nobody answers there" : all.why_not_connected)};
    }
    add(result_, all);
    second ignored;
    around_.sample(ignored);
    return true;
  }

  /// Connections that close have a moment; one on its way to somebody who is silent has none.
  void leave() {
    line_.leave = true;
    const nanoseconds until = now() + 1500ms;
    while (client_->counts().live > 0 && now() < until) std::this_thread::sleep_for(2ms);
    client_->stop();
    client_->wait();
  }

  void measure() {
    const nanoseconds begin = now() + 1ms;
    line_.begin = begin.count();
    for (nanoseconds at{0}; at < window_.end() && !result_.partial;) {
      at = window_.next_boundary(at);
      if (!sleep_until(begin + at)) line_.stop = result_.partial = true;
      next_second();
    }
    while (!all_ended()) next_second();
    result_.measured_s = std::max(0.0, in_s(last_ - window_.measured_from()));
    if (result_.measured_s > 0) find_busiest();
  }

  void next_second() {
    second one;
    around_.sample(one);
    tally all;
    for (std::uint32_t i = 0; i < workers_.size(); ++i) {
      thread& its = threads_[i];
      if (its.ended) continue;
      take(i, [&](const tally& part) {
        add(all, part);
        all.warmup = part.warmup;
        last_ = std::max(last_, part.ended_at);
        its.cpu = part.thread_cpu;
        if (part.warmup) its.cpu_before = part.thread_cpu;
        its.ended = part.last;
      });
    }
    describe(one, all);
    if (!all.warmup) add(result_, all);
    result_.seconds.push_back(one);
    if (tell_) tell_(one);
  }

  void describe(second& one, const tally& all) const {
    one.at_s = in_s(last_);
    one.warmup = all.warmup;
    one.due = all.due;
    one.sent = all.sent;
    one.answered = all.answered;
    one.failed = all.failed;
    one.connected = all.connected;
    one.connections = all.open;
    const histogram& request = all.latencies.request;
    one.p50_us = in_us(request.at(0.5));
    one.p99_us = in_us(request.at(0.99));
    one.p999_us = in_us(request.at(0.999));
    one.max_us = in_us(request.max());
  }

  /// Calls `use` with the next tally of a thread. Throws when none comes.
  template <class Use>
  void take(std::uint32_t i, Use use) {
    tally_queue& from = workers_[i]->tallies();
    const nanoseconds patience = now() + result_.plan.timeout + 20s;
    for (;;) {
      if (std::unique_ptr<tally> part = from.take(50ms)) {
        use(*part);
        return from.recycle(std::move(part));
      }
      if (interrupted()) line_.stop = result_.partial = true;
      if (now() > patience) throw std::runtime_error{"a load thread no longer answers"};
    }
  }

  bool all_ended() const { return std::ranges::all_of(threads_, &thread::ended); }

  void find_busiest() {
    for (const thread& each : threads_) {
      const double busy = in_s(each.cpu - each.cpu_before) / result_.measured_s;
      result_.client_busy = std::max(result_.client_busy, busy);
    }
  }

  /// What is known of a worker's thread.
  struct thread {
    nanoseconds cpu_before{0};  ///< used before what is measured
    nanoseconds cpu{0};
    bool ended = false;
  };

  const each_second& tell_;
  run_result result_;
  surroundings around_;
  window window_;
  starting_line line_;
  nanoseconds last_{0};  ///< the end of what was told, since the run's beginning
  std::vector<thread> threads_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<dwell::client> client_;  // ends before its workers
};

}  // namespace

run_result carry_out(const plan& of, const std::function<void(const second&)>& each_second,
                     const std::function<void(const std::string&)>& warn) {
  check(of);
  catch_interrupt();
  raise_descriptor_limit();
  return leader{of, each_second, warn}.run();
}

}  // namespace load
