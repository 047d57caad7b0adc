// How a server ends, step by step in virtual time; what it has to end with is in
// admission_test.cpp.
#include "scenario.hpp"

#include <optional>
#include <vector>

namespace {

using dwell::connection;
using dwell::drain_step;
using dwell::server_stage;

/// Answers each message after a second.
dwell::task<> slow_echo(connection& peer) {
  while (auto data = co_await peer.read()) {
    co_await dwell::sleep_for(1s);
    co_await peer.write(data);
  }
}

dwell::service_options lasting() { return {.deadlines = {.idle = 1h, .handle = 1h}}; }

// ── the steps ──

TEST(drain_steps, come_in_order_and_tell_how_far_they_are) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve(lasting(), slow_echo, {.drain = {.deadline = 10s, .delay = 5s, .spread = 0s}});
    auto idle = sim.connect(server), busy = sim.connect(server);
    sim.advance(2s);
    EXPECT_EQ(server.draining().step, drain_step::none);
    EXPECT_EQ(server.draining().connections, 2);
    server.drain();
    EXPECT_EQ(server.stage(), server_stage::draining);  // from here on /readyz is 503
    EXPECT_EQ(server.draining().step, drain_step::announcing);
    EXPECT_EQ(server.draining().at_start, 2);
    sim.advance(2s);
    EXPECT_EQ(server.draining().step, drain_step::announcing);
    EXPECT_EQ(server.draining().elapsed, 2s);
    EXPECT_EQ(server.draining().left, 3s);
    auto late = sim.connect(server);
    late.send("late");
    sim.advance(2s);
    EXPECT_EQ(late.received(), "late");
    EXPECT_EQ(server.draining().connections, 3);
    sim.advance(500ms);
    busy.send("ping");
    sim.advance(499ms);
    EXPECT_TRUE(idle.is_open());  // nothing closes before the listeners do
    sim.advance(1ms);
    EXPECT_EQ(server.draining().step, drain_step::finishing);
    EXPECT_EQ(server.draining().left, 10s);
    auto too_late = sim.connect(server);
    sim.advance(1ms);
    EXPECT_TRUE(too_late.got_reset());
    EXPECT_FALSE(idle.is_open());
    EXPECT_FALSE(late.is_open());
    EXPECT_TRUE(busy.is_open());
    EXPECT_EQ(server.draining().connections, 1);
    sim.advance(600ms);
    EXPECT_EQ(busy.received(), "ping");
    EXPECT_EQ(busy.record().reason, close_reason::drain);
    const dwell::drain_progress end = server.draining();
    EXPECT_EQ(end.step, drain_step::ended);
    EXPECT_EQ(server.stage(), server_stage::ended);
    EXPECT_EQ(end.connections, 0);
    EXPECT_EQ(end.at_start, 2);
    EXPECT_EQ(end.crossed, 0);
    EXPECT_EQ(end.aborted, 0);
    EXPECT_EQ(end.left, std::nullopt);
    EXPECT_EQ(end.elapsed, 5'500ms);
    sim.advance(1min);
    EXPECT_EQ(server.draining().elapsed, end.elapsed);
  });
}

TEST(drain_steps, the_deadline_aborts_and_counts) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto stuck = [](connection& peer) -> dwell::task<> {
      while (co_await peer.read()) {
        while (co_await dwell::sleep_for(1h)) {
        }
      }
    };
    auto& server = sim.serve(lasting(), stuck, {.drain = {.deadline = 10s}});
    std::vector<peer> all;
    for (int i = 0; i < 5; ++i) all.push_back(sim.connect(server));
    for (int i = 0; i < 3; ++i) all[static_cast<std::size_t>(i)].send("?");
    sim.advance(2s);
    server.drain();
    sim.advance(9'999ms);
    EXPECT_EQ(server.draining().step, drain_step::finishing);
    EXPECT_EQ(server.draining().connections, 3);
    EXPECT_EQ(server.draining().left, 1ms);
    sim.advance(1ms);
    EXPECT_EQ(server.draining().step, drain_step::ended);
    EXPECT_EQ(server.draining().aborted, 3);
    EXPECT_EQ(server.draining().elapsed, 10s);
    EXPECT_TRUE(all[0].got_reset());
  });
}

TEST(drain_steps, stop_skips_what_is_left_of_them) {
  for (const auto& when : {0s, 1s, 6s}) {  // not draining, announcing, finishing
    simulation sim{{.seed = 1}};
    auto& server = sim.serve(lasting(), slow_echo, {.drain = {.deadline = 1h, .delay = 5s}});
    auto busy = sim.connect(server);
    sim.advance(2s);
    if (when == 6s) busy.send("ping");  // and "pong" is waiting behind it
    if (when != 0s) server.drain();
    if (when == 6s) sim.advance(4'500ms);
    busy.send("pong");
    sim.advance(600ms);
    EXPECT_TRUE(busy.is_open());
    server.stop();
    EXPECT_EQ(server.draining().step, drain_step::aborting);
    sim.advance(1ms);
    EXPECT_TRUE(busy.got_reset());
    EXPECT_EQ(server.draining().step, drain_step::ended);
    EXPECT_EQ(server.draining().aborted, 1);
    sim.advance(1min);
    EXPECT_EQ(server.draining().step, drain_step::ended);
    server.drain();
    server.stop();
    EXPECT_EQ(server.stage(), server_stage::ended);
  }
}

// ── who has just come ──

TEST(drain_first_request, is_waited_for) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 20ms}}};
    auto& server = sim.serve(lasting(), echo, {.drain = {.first_request = 1s}});
    auto old = sim.connect(server);
    sim.advance(2s);
    auto asks = sim.connect(server), silent = sim.connect(server);
    sim.advance(500ms);
    server.drain();
    asks.stay_at_end();
    sim.advance(50ms);
    EXPECT_FALSE(old.is_open());  // it had its time
    EXPECT_TRUE(asks.is_open());
    sim.advance(900ms);
    asks.send("at last");
    sim.advance(21ms);
    EXPECT_TRUE(silent.is_open());
    sim.advance(100ms);
    EXPECT_EQ(asks.received(), "at last");
    EXPECT_TRUE(asks.got_end());
    EXPECT_TRUE(silent.got_end());
    EXPECT_EQ(silent.record().reason, close_reason::drain);
  });
}

TEST(drain_first_request, of_0_waits_for_nobody) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve(lasting(), echo, {.drain = {.first_request = 0s}});
  auto fresh = sim.connect(server);
  sim.advance(1ms);
  server.drain();
  sim.advance(1ms);
  EXPECT_TRUE(fresh.got_end());
  EXPECT_EQ(server.draining().step, drain_step::ended);
}

// Its first request is answered, and then it leaves as others do.
TEST(drain_first_request, is_one_request) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(lasting(), echo);
    auto fresh = sim.connect(server);
    sim.advance(1ms);
    fresh.send("first");
    sim.advance(1ms);
    server.drain();
    sim.advance(2ms);
    EXPECT_EQ(fresh.received(), "first");
    EXPECT_TRUE(fresh.got_end());
  });
}

// ── idle ones, over a time ──

TEST(drain_spread, closes_idle_ones_evenly) {
  constexpr std::size_t count = 1'024;
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{{.seed = seed}};
        auto& server = sim.serve(lasting(), echo, {.drain = {.spread = 2s}});
        std::vector<peer> all;
        for (std::size_t i = 0; i < count; ++i) all.push_back(sim.connect(server));
        sim.advance(10s);
        server.drain();
        for (std::size_t tenth = 1; tenth <= 10; ++tenth) {
          sim.advance(200ms);
          const auto left = static_cast<std::size_t>(server.draining().connections);
          EXPECT_NEAR(static_cast<double>(left), static_cast<double>(count * (10 - tenth) / 10),
                      12);
          if (tenth == 5) {  // whoever speaks leaves with its answer
            for (peer& each : all) each.send("x");
            sim.advance(2ms);
            EXPECT_EQ(server.draining().connections, 0);
            break;
          }
        }
        EXPECT_EQ(server.draining().crossed, 0);
      },
      4);
}

TEST(drain_spread, ends_with_its_time) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve(lasting(), echo, {.drain = {.spread = 2s}});
  for (int i = 0; i < 128; ++i) static_cast<void>(sim.connect(server));
  sim.advance(10s);
  server.drain();
  sim.advance(1'900ms);
  EXPECT_GT(server.draining().connections, 0);
  sim.advance(120ms);
  EXPECT_EQ(server.draining().step, drain_step::ended);
}

// ── what was sent before the end ──

// One that always has more on its way is answered for half of the deadline; then its next exchange
// is the last.
TEST(drain_last_exchange, comes_also_to_those_who_never_pause) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(lasting(), slow_echo, {.drain = {.deadline = 10s}});
    auto peer = sim.connect(server);
    peer.send("first");
    sim.advance(500ms);
    server.drain();
    for (int half = 0; half < 20 && peer.is_open(); ++half) {
      if (!peer.got_end()) peer.send("more");
      sim.advance(500ms);
    }
    EXPECT_EQ(peer.record().reason, close_reason::drain);
    EXPECT_EQ(peer.record().done, close_method::graceful);
    EXPECT_GE(peer.record().exchanges, 5);
    EXPECT_LE(peer.record().exchanges, 7);
    EXPECT_EQ(server.draining().aborted, 0);
  });
}

// The client's next request has left when it hears of the end: it is told by our FIN, not by a
// reset, and is counted.
TEST(drain_lingers, over_a_request_that_crosses) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    auto& server = sim.serve(lasting(), echo);
    auto idle = sim.connect(server), busy = sim.connect(server);
    sim.advance(2s);
    busy.send("one");
    sim.advance(15ms);
    server.drain();
    idle.send("crossing");  // 10 ms before our FIN is there
    sim.advance(1s);
    for (const peer& each : {idle, busy}) {
      EXPECT_TRUE(each.got_end());
      EXPECT_FALSE(each.got_reset());
      EXPECT_EQ(each.record().reason, close_reason::drain);
    }
    EXPECT_EQ(busy.received(), "one");
    EXPECT_EQ(idle.received(), "");
    EXPECT_EQ(idle.record().reap_raced, 8);
    EXPECT_EQ(server.draining().crossed, 1);
    EXPECT_EQ(server.draining().step, drain_step::ended);
  });
}

TEST(drain_lingers, no_longer_than_the_close_deadline) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({.deadlines = {.close = 3s}}, echo);
  auto deaf = sim.connect(server);
  deaf.stay_at_end();
  sim.advance(2s);
  server.drain();
  sim.advance(2'999ms);
  EXPECT_EQ(server.draining().connections, 1);
  sim.advance(2ms);
  EXPECT_EQ(server.draining().step, drain_step::ended);
  EXPECT_EQ(server.draining().aborted, 0);
}

}  // namespace
