// Requests around the idle deadline: each is answered, counted in reap_raced, or came after our FIN
// to a connection that avoids TIME_WAIT; and nobody is reset before he has read our FIN.
#include "scenario.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>
#include <vector>

namespace {

constexpr auto idle = 10s;
constexpr std::string_view request = "request";

struct client {
  peer end;
  dwell::duration connected;
  dwell::duration asks{};
  bool asked = false;  // had not read our FIN by then
};

struct totals {
  std::uint64_t answered = 0;
  std::uint64_t raced = 0;
  std::uint64_t lost = 0;
};

class scenario {
 public:
  explicit scenario(std::uint64_t seed)
      : random_{seed},
        method_{below(2) == 0 ? close_method::graceful : close_method::abort_after_fin},
        sim_{{.seed = seed, .faults = any_faults()}},
        server_{sim_.serve(
            {.deadlines = {.idle = idle, .write = 1h, .close = 10min}, .close = {.idle = method_}},
            below(2) == 0 ? dwell::handler{echoing()} : dwell::handler{echo})} {}

  void run(totals& sum) {
    open_all();
    if (below(3) == 0) freeze_at_ = clients_.front().connected + idle - 1s + up_to(1s);
    for (client* const each : by_time()) {
      advance_to(each->asks);
      each->asked = !each->end.got_end();
      each->end.send(request);
    }
    sim_.advance(30min);
    std::uint64_t raced = 0;
    for (client& each : clients_) {
      check(each, sum);
      if (each.end.record().reap_raced != 0) ++raced;
    }
    EXPECT_EQ(server_.counts().reap_raced, raced);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  dwell::duration up_to(dwell::duration most) {
    return dwell::duration{
        static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count()) + 1))};
  }

  /// Whoever avoids TIME_WAIT gives up that our FIN, once lost, comes again after a late byte.
  dwell::testing::faults any_faults() {
    faults_.delay = up_to(40ms);
    faults_.jitter = up_to(20ms);
    if (below(2) == 0) faults_.short_reads = 0.3;
    if (method_ == close_method::graceful && below(2) == 0) faults_.loss = 0.2;
    return faults_;
  }

  void open_all() {
    for (int i = 0; i < 6; ++i) {
      sim_.advance(up_to(30ms));
      const auto reach = 5ms + faults_.delay + faults_.jitter;
      const auto asks = sim_.now() + idle - reach + up_to(2 * reach);
      clients_.push_back({sim_.connect(server_), sim_.now(), asks});
    }
  }

  std::vector<client*> by_time() {
    std::vector<client*> all;
    for (client& each : clients_) all.push_back(&each);
    std::ranges::sort(all, {}, [](const client* each) { return each->asks; });
    return all;
  }

  void advance_to(dwell::duration when) {
    if (freeze_at_ && *freeze_at_ <= when) {
      sim_.advance(std::max(dwell::duration{0}, *freeze_at_ - sim_.now()));
      sim_.freeze(server_, stall);
      thaws_at_ = sim_.now() + stall;
      freeze_at_.reset();
    }
    sim_.advance(std::max(dwell::duration{0}, when - sim_.now()));
  }

  /// Our FIN cannot leave before.
  dwell::duration earliest_fin(const client& of) const {
    const auto deadline = of.connected + faults_.delay + idle;
    return thaws_at_ && deadline >= *thaws_at_ - stall ? std::max(deadline, *thaws_at_) : deadline;
  }

  void check(const client& each, totals& sum) {
    const auto& record = each.end.record();
    SCOPED_TRACE("asked at " + std::to_string(each.asks.count()) + " ms, connected at " +
                 std::to_string(each.connected.count()) + " ms");
    EXPECT_EQ(record.reason, close_reason::idle_timeout);
    EXPECT_TRUE(each.end.got_end());
    EXPECT_FALSE(each.end.got_reset());
    if (!each.asked) return;
    if (each.end.received() == request) {
      ++sum.answered;
      EXPECT_EQ(record.reap_raced, 0);
      return;
    }
    const auto latest_arrival = each.asks + faults_.delay + faults_.jitter;
    const bool in_time = faults_.loss == 0 && latest_arrival < earliest_fin(each);
    EXPECT_FALSE(in_time) << "it was there before our FIN could leave";
    // Cut in pieces by short reads, a part of it may have been answered.
    const std::size_t unanswered = request.size() - each.end.received().size();
    if (record.reap_raced == unanswered) {
      ++sum.raced;
      return;
    }
    ++sum.lost;
    EXPECT_NE(method_, close_method::graceful) << "neither answered nor counted";
  }

  static constexpr dwell::duration stall = 2s;

  std::mt19937_64 random_;
  close_method method_;
  dwell::testing::faults faults_;
  simulation sim_;
  dwell::server& server_;
  std::vector<client> clients_;
  std::optional<dwell::duration> freeze_at_;
  std::optional<dwell::duration> thaws_at_;
};

/// DWELL_SEED repeats one, DWELL_SEEDS sets how many there are.
TEST(reap_race, no_request_is_reset_or_lost_unseen) {
  std::uint64_t from = 0;
  std::uint64_t count = 1'000;
  if (const char* set = std::getenv("DWELL_SEED")) {
    from = std::strtoull(set, nullptr, 10);
    count = 1;
  } else if (const char* many = std::getenv("DWELL_SEEDS")) {
    count = std::strtoull(many, nullptr, 10);
  }
  totals sum;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    SCOPED_TRACE("repeat with DWELL_SEED=" + std::to_string(seed));
    scenario{seed}.run(sum);
    if (HasFailure()) return;
  }
  if (count < 100) return;
  EXPECT_GT(sum.answered, count / 10);
  EXPECT_GT(sum.raced, count / 10);
  EXPECT_GT(sum.lost, count / 100);
}

TEST(reap, waits_for_the_peers_fin_up_to_the_close_deadline) {
  with_seeds([](std::uint64_t seed) {
    for (const close_method method : {close_method::graceful, close_method::abort_after_fin}) {
      simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
      auto& server =
          sim.serve({.deadlines = {.idle = 10s, .close = 3s}, .close = {.idle = method}}, echo);
      auto closes = sim.connect(server);
      auto holds = sim.connect(server);
      holds.stay_at_end();
      sim.advance(1min);
      const bool waits = method == close_method::graceful;
      EXPECT_EQ(closes.closed_after(), waits ? 10'020ms : 10s);
      EXPECT_EQ(holds.closed_after(), waits ? 13s : 10s);
      EXPECT_EQ(closes.time_wait(), waits ? dwell::time_wait::here : dwell::time_wait::nowhere);
      EXPECT_EQ(closes.record().lingered, waits);
      EXPECT_EQ(closes.record().time_wait, closes.time_wait());
      EXPECT_EQ(closes.record().phase, dwell::phase::idle);
    }
  });
}

}  // namespace
