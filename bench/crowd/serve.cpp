#include <dwell/dwell.hpp>

#include "counted.hpp"
#include "logger.hpp"
#include "roles.hpp"
#include "turn_cpu.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <vector>

namespace {

nlohmann::ordered_json described(const sum_of_counted& all, double unit) {
  const auto at = [&](double share) { return static_cast<double>(all.quantile(share)) / unit; };
  return {{"count", all.count()},
          {"p50", at(0.5)},
          {"p99", at(0.99)},
          {"p999", at(0.999)},
          {"max", at(1)}};
}

class crowd_server {
 public:
  explicit crowd_server(const serve_options& options)
      : server_{{.threads = options.threads,
                 .logger = faults_only(),
                 .tables = dwell::descriptor_tables::per_loop}},
        late_(server_.loops()) {
    const auto idle = options.idle;
    const dwell::callbacks<> echo{
        .on_data =
            [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
              peer.send(data);
              return data.size();
            },
        .on_deadline =
            [this, idle](dwell::connection& peer, dwell::no_session&, dwell::close_reason) {
              const auto beyond = peer.idle_for() - idle;
              if (beyond.count() < 0) ++early_;
              late_[peer.id().loop].add(
                  static_cast<std::uint64_t>(std::max<std::int64_t>(0, beyond.count())));
            }};
    const dwell::endpoint bound = server_.serve(
        {.listen = options.listen, .deadlines = {.idle = idle}, .socket = {.backlog = 65'535}},
        echo);
    server_.on_signal(SIGUSR1, [this] { report(); });
    server_.on_signal(SIGUSR2, [this] { begin_period(); });
    std::cout << "listening on " << dwell::to_string(bound) << std::endl;
  }

  int run() { return server_.run(); }

 private:
  void report() {
    const dwell::server_counts counts = server_.counts();
    sum_of_counted late;
    for (const counted& each : late_) late.add(each);
    late = late.since(late_before_);
    const sum_of_counted turns = turn_cpu().since(turns_before_);
    const auto reason = [&](dwell::close_reason which) {
      return counts.closed[static_cast<std::size_t>(which)];
    };
    const nlohmann::ordered_json line{
        {"capacity", server_.capacity()},
        {"opened", counts.opened},
        {"live", counts.live},
        {"reaped", reason(dwell::close_reason::idle_timeout)},
        {"early", early_.load()},
        {"evicted", counts.evicted},
        {"refused", counts.refused},
        {"accept_failed", counts.accept_failed},
        {"turns_cpu_us", described(turns, 1'000)},
        {"late_ms", described(late, 1)},
    };
    std::cout << line.dump() << std::endl;
  }

  void begin_period() {
    turns_before_ = turn_cpu();
    late_before_ = {};
    for (const counted& each : late_) late_before_.add(each);
  }

  dwell::server server_;
  std::atomic<std::uint64_t> early_{0};
  std::vector<counted> late_;  // of each loop
  sum_of_counted turns_before_, late_before_;
};

}  // namespace

int serve(const serve_options& options) { return crowd_server{options}.run(); }
