#include <dwell/dwell.hpp>

#include "counted.hpp"
#include "logger.hpp"
#include "pinger.hpp"
#include "roles.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using json = nlohmann::ordered_json;

std::int64_t now_ns() {
  return std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count();
}

void tell(const json& event) { std::cout << event.dump() << std::endl; }

std::atomic<bool> interrupted{false};

// The server's clock counts whole milliseconds, from the beginning of a turn.
constexpr std::int64_t tolerance = 2'000'000;

// The server's deadline counts from some moment between the two.
struct visitor {
  std::int64_t quiet_after = 0;
  std::int64_t quiet_by = 0;
  std::uint32_t loop = 0;
};

// What one loop has, and others only read.
struct alignas(64) loop_share {
  std::uint64_t wanted = 0;
  std::uint64_t begun = 0;
  std::minstd_rand random;
  std::vector<dwell::connection_id> asked;
  std::atomic<std::uint64_t> open{0}, closed{0}, failed{0}, reset{0}, answered{0}, wrong{0},
      early{0};
  std::atomic<std::int64_t> soonest{INT64_MAX};  // ns
  counted late;                                  // us
};

class crowd {
 public:
  explicit crowd(const visit_options& options)
      : options_{options},
        shares_(static_cast<std::size_t>(options.threads)),
        there_{connect_options_of(options_), calls(),
               [this](visitor& self, const dwell::connect_error& why) { failed(self, why); }},
        client_{{.threads = options.threads,
                 .logger = faults_only(),
                 .tables = dwell::descriptor_tables::per_loop}} {
    const std::uint64_t loops = shares_.size();
    for (std::uint32_t i = 0; i < loops; ++i) {
      shares_[i].wanted = options_.connections * (i + 1) / loops - options_.connections * i / loops;
      shares_[i].random.seed(i + 1);
      client_.spawn(
          [this, i]() -> dwell::task<> {
            for (int n = 0; n < options_.at_once; ++n) open_next(i);
            co_return;
          },
          i);
    }
  }

  int run() {
    pinger works{options_.to};
    began_ = now_ns();
    client_.start();
    if (!wait_for("opening", [&] {
          return sum(&loop_share::open) + sum(&loop_share::failed) >= options_.connections;
        }))
      return give_up();
    tell({{"event", "open"},
          {"open", sum(&loop_share::open)},
          {"failed", sum(&loop_share::failed)},
          {"why", why_},
          {"closed", sum(&loop_share::closed)},
          {"seconds", seconds_since(began_)}});
    if (!told_to_go()) return give_up();
    ask();
    works.enter(pinger::period::quiet);
    tell({{"event", "asked"},
          {"asked", asked_},
          {"answered", sum(&loop_share::answered)},
          {"wrong", sum(&loop_share::wrong)},
          {"closed", sum(&loop_share::closed)}});
    if (!wait_for("waiting", [&] { return sum(&loop_share::closed) > 0; })) return give_up();
    works.enter(pinger::period::reaping);
    const std::int64_t first = now_ns();
    if (!wait_for("reaping", [&] { return sum(&loop_share::closed) >= sum(&loop_share::open); }))
      return give_up();
    report(works, seconds_since(first));
    client_.stop();
    return 0;
  }

 private:
  static dwell::connect_options connect_options_of(const visit_options& options) {
    dwell::connect_options to{.host = options.to.address,
                              .port = options.to.port,
                              .connect = 60s,
                              .source = options.source};
    to.deadlines.idle = dwell::off;
    to.socket.nodelay = false;
    to.socket.user_timeout = dwell::off;
    return to;
  }

  dwell::callbacks<visitor> calls() {
    return {
        .on_open = [this](dwell::connection& peer, visitor& self) { return opened(peer, self); },
        .on_data = [this](dwell::connection& peer, visitor& self,
                          dwell::bytes data) { return heard(peer, self, data); },
        .on_close = [this](dwell::connection&, visitor& self,
                           const dwell::close_record& record) { closed(self, record); }};
  }

  void open_next(std::uint32_t loop) {
    loop_share& mine = shares_[loop];
    if (mine.begun == mine.wanted || interrupted) return;
    ++mine.begun;
    there_.connect({.quiet_after = now_ns(), .loop = loop});
  }

  bool opened(dwell::connection& peer, visitor& self) {
    loop_share& mine = shares_[self.loop];
    self.quiet_by = now_ns();
    ++mine.open;
    if (std::uniform_real_distribution{}(mine.random) < options_.asked)
      mine.asked.push_back(peer.id());
    facade_ = &peer.server();
    open_next(self.loop);
    return true;
  }

  void failed(const visitor& self, const dwell::connect_error& why) {
    if (shares_[self.loop].failed++ == 0) {
      const std::lock_guard lock{failing_};
      why_ = to_string(why);
    }
    open_next(self.loop);
  }

  std::size_t heard(dwell::connection& peer, visitor& self, dwell::bytes data) {
    loop_share& mine = shares_[self.loop];
    const std::uint64_t expected = peer.id().generation;
    if (data.size() < sizeof expected) return 0;
    const bool right =
        data.size() == sizeof expected && std::memcmp(data.data(), &expected, sizeof expected) == 0;
    self.quiet_after = asking_;
    self.quiet_by = now_ns();
    ++(right ? mine.answered : mine.wrong);
    return data.size();
  }

  void closed(const visitor& self, const dwell::close_record& record) {
    loop_share& mine = shares_[self.loop];
    const std::int64_t idle = std::chrono::nanoseconds{options_.idle}.count();
    const std::int64_t at = now_ns();
    if (record.reason == dwell::close_reason::peer_reset) ++mine.reset;
    const std::int64_t beyond = at - self.quiet_after - idle;
    if (beyond < -tolerance) ++mine.early;
    if (beyond < mine.soonest) mine.soonest = beyond;
    mine.late.add(
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, at - self.quiet_by - idle) / 1'000));
    ++mine.closed;
  }

  // Each of the chosen sends what only it would, and has it back.
  void ask() {
    asking_ = now_ns();
    for (const loop_share& each : shares_) {
      for (const dwell::connection_id id : each.asked) {
        ++asked_;
        const auto say = [](dwell::connection& peer) {
          const std::uint64_t text = peer.id().generation;
          peer.send(std::as_bytes(std::span{&text, 1}));
        };
        while (!facade_.load()->post(id, say)) std::this_thread::sleep_for(1ms);
      }
    }
    wait_for("asking", [&] {
      return sum(&loop_share::answered) + sum(&loop_share::wrong) + sum(&loop_share::closed) >=
             asked_;
    });
  }

  std::uint64_t sum(std::atomic<std::uint64_t> loop_share::*what) const {
    std::uint64_t all = 0;
    for (const loop_share& each : shares_) all += each.*what;
    return all;
  }

  template <class Condition>
  bool wait_for(const char* phase, Condition&& reached) {
    for (int i = 0; !reached(); ++i) {
      if (interrupted) return false;
      std::this_thread::sleep_for(10ms);
      if (i % 50 == 49) {
        tell({{"event", phase},
              {"open", sum(&loop_share::open)},
              {"closed", sum(&loop_share::closed)},
              {"failed", sum(&loop_share::failed)}});
      }
    }
    return true;
  }

  static bool told_to_go() {
    std::string word;
    return static_cast<bool>(std::getline(std::cin, word)) && word == "go";
  }
  static double seconds_since(std::int64_t began) {
    return static_cast<double>(now_ns() - began) / 1e9;
  }

  int give_up() {
    client_.stop();
    return 1;
  }

  void report(const pinger& works, double seconds) {
    sum_of_counted late;
    for (const loop_share& each : shares_) late.add(each.late);
    std::int64_t soonest = INT64_MAX;
    for (const loop_share& each : shares_) soonest = std::min(soonest, each.soonest.load());
    const auto ms = [&](double share) { return static_cast<double>(late.quantile(share)) / 1'000; };
    using period = pinger::period;
    tell({{"event", "reaped"},
          {"reaped", sum(&loop_share::closed)},
          {"reset", sum(&loop_share::reset)},
          {"early", sum(&loop_share::early)},
          {"soonest_ms", static_cast<double>(soonest) / 1e6},
          {"seconds", seconds},
          {"late_ms", {{"p50", ms(0.5)}, {"p99", ms(0.99)}, {"max", ms(1)}}},
          {"ping",
           {{"lives", works.lives()},
            {"opening_ms", works.worst_ms(period::opening)},
            {"quiet_ms", works.worst_ms(period::quiet)},
            {"reaping_ms", works.worst_ms(period::reaping)}}}});
  }

  visit_options options_;
  std::vector<loop_share> shares_;
  dwell::upstream<visitor> there_;
  std::atomic<dwell::server*> facade_{nullptr};
  std::mutex failing_;
  std::string why_;
  std::int64_t began_ = 0;
  std::atomic<std::int64_t> asking_{0};
  std::uint64_t asked_ = 0;
  dwell::client client_;  // last: it ends before what its connections refer to
};

}  // namespace

int visit(const visit_options& options) {
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  return crowd{options}.run();
}
