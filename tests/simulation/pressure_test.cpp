// What a server does when it has more to hold than it may, rung by rung.
#include "scenario.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;
using dwell::pressure_cause;
using dwell::pressure_level;
using dwell::when_full;

std::vector<peer> connect(simulation& sim, dwell::server& server, int count,
                          dwell::duration apart = 1ms) {
  std::vector<peer> made;
  for (int i = 0; i < count; ++i) {
    made.push_back(sim.connect(server));
    sim.advance(apart);
  }
  return made;
}

long open_ones(const std::vector<peer>& peers) {
  return std::count_if(peers.begin(), peers.end(), [](const peer& p) { return p.is_open(); });
}

/// Is never idle once it has been asked something.
dwell::task<> works_for_a_minute(connection& peer) {
  while (auto data = co_await peer.read()) co_await dwell::sleep_for(1min);
}

TEST(pressure, shrinks_idle_deadlines_no_longer_than_it_takes) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 60s}}, echo, {.connections = 100});
    auto peers = connect(sim, server, 79, 0ms);
    sim.advance(1ms);
    EXPECT_EQ(server.pressure().level, pressure_level::normal);
    peers.push_back(sim.connect(server));
    sim.advance(1ms);
    EXPECT_EQ(server.pressure().level, pressure_level::shrink_idle);
    EXPECT_EQ(server.pressure().cause, pressure_cause::connections);
    EXPECT_EQ(server.pressure().used[0], 80U);
    sim.advance(13s);
    EXPECT_EQ(open_ones(peers), 80);
    sim.advance(3s);  // a quarter of 60 s, less up to a tenth
    EXPECT_EQ(open_ones(peers), 74) << "down to below 75 %, and no further";
    EXPECT_EQ(server.counts().shrunk, 6);
    EXPECT_EQ(server.pressure().level, pressure_level::normal);
    sim.advance(43s);
    EXPECT_EQ(open_ones(peers), 74) << "the others have their own deadline";
    sim.advance(2s);
    EXPECT_EQ(open_ones(peers), 0);
    EXPECT_EQ(server.counts().closed[static_cast<std::size_t>(close_reason::idle_timeout)], 80);
  });
}

TEST(pressure, does_not_shrink_what_is_at_work_or_off) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& off = sim.serve({.deadlines = {.idle = dwell::off}}, echo, {.connections = 10});
    auto& busy = sim.serve({.deadlines = {.idle = 20s, .handle = 10min}}, works_for_a_minute,
                           {.connections = 10});
    const auto silent = connect(sim, off, 9);
    auto at_work = connect(sim, busy, 9);
    for (auto& each : at_work) each.send("?");
    sim.advance(59s);
    EXPECT_EQ(open_ones(silent), 9);
    EXPECT_EQ(open_ones(at_work), 9);
    EXPECT_EQ(busy.pressure().level, pressure_level::shrink_idle);
  });
}

/// Of those that are evicted, 99 % are among the oldest tenth of those that are there.
TEST(pressure, evicts_those_that_were_idle_longest) {
  constexpr std::size_t places = 5'000;
  constexpr std::size_t newcomers = 1'000;
  simulation sim{{.seed = 7}};
  struct session {
    std::size_t number = 0;
  };
  std::vector<bool> open;
  std::size_t evicted = 0, among_oldest = 0;
  const auto close = [&](connection&, session& self, const dwell::close_record& record) {
    open[self.number] = false;
    if (record.reason != close_reason::overload) return;
    ++evicted;
    const auto older =
        std::count(open.begin(), open.begin() + static_cast<long>(self.number), true);
    if (static_cast<std::size_t>(older) < places / 10) ++among_oldest;
  };
  const auto number = [&](connection&, session& self) {
    self.number = open.size();
    open.push_back(true);
    return true;
  };
  auto& server = sim.serve({.deadlines = {.idle = 1h}},
                           dwell::callbacks<session>{.on_open = number, .on_close = close},
                           {.connections = places, .pressure = {.shrink_idle_at = 100}});
  const auto before = connect(sim, server, places);
  const auto after = connect(sim, server, newcomers);
  EXPECT_EQ(evicted, newcomers);
  EXPECT_GE(among_oldest, newcomers * 99 / 100);
  EXPECT_EQ(server.counts().evicted, newcomers);
  EXPECT_EQ(server.pressure().level, pressure_level::evict_idle);
}

TEST(pressure, of_memory_evicts_the_idle_and_then_lets_nobody_in) {
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{{.seed = seed}};
        using session = std::array<char, 2 * 1024>;
        const dwell::server_options process{
            .pressure = {.memory = 4 << 20, .patience = dwell::off}};
        std::vector<dwell::owed> work;
        const dwell::callbacks<session> calls{
            .on_data = [&](connection& peer, session&, dwell::bytes data) {
              work.push_back(peer.owe());
              return data.size();
            }};
        auto& server = sim.serve({.deadlines = {.idle = 1h, .handle = 1h}}, calls, process);
        auto idle = connect(sim, server, 2'400);
        EXPECT_GE(server.pressure().used[2], 85U) << "evicted no more than it took";
        EXPECT_LE(server.pressure().used[2], 97U);
        EXPECT_GT(server.counts().evicted, 100U);
        EXPECT_EQ(server.pressure().cause, pressure_cause::memory);

        auto busy = connect(sim, server, 0);
        for (int i = 0; i < 2'400; ++i) {  // none of these may be evicted
          busy.push_back(sim.connect(server));
          busy.back().send("?");
          sim.advance(1ms);
        }
        sim.advance(1s);
        EXPECT_EQ(server.pressure().level, pressure_level::pause_accept);
        EXPECT_LE(server.pressure().used[2], 103U);
        EXPECT_LT(open_ones(idle), 200);
        EXPECT_EQ(open_ones(busy), 2'400) << "some of them in the accept queue";
        EXPECT_LT(server.counts().live, 2'200U);

        work.clear();
        sim.advance(1s);
        EXPECT_LT(server.pressure().level, pressure_level::pause_accept);
      },
      2);
}

TEST(pressure, refuses_once_patience_is_over_and_says_so) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<dwell::owed> work;
    const dwell::callbacks<> calls{.on_data =
                                       [&](connection& peer, no_session&, dwell::bytes data) {
                                         work.push_back(peer.owe());
                                         return data.size();
                                       },
                                   .refusal = "busy, come back later"};
    auto& server = sim.serve({.deadlines = {.idle = 1h, .handle = 1h}}, calls, {.connections = 10});
    auto at_work = connect(sim, server, 10);
    for (auto& each : at_work) each.send("?");
    sim.advance(1ms);
    auto waits = sim.connect(server);
    waits.send("me too");
    sim.advance(4s);
    EXPECT_TRUE(waits.is_open());
    EXPECT_EQ(waits.received(), "");
    EXPECT_EQ(server.pressure().level, pressure_level::pause_accept);
    sim.advance(2s);
    EXPECT_EQ(waits.received(), "busy, come back later");
    EXPECT_FALSE(waits.got_reset());
    EXPECT_EQ(server.pressure().level, pressure_level::refuse);
    EXPECT_EQ(server.counts().refused, 1U);

    work.clear();
    for (auto& each : at_work) each.close();
    sim.advance(2s);
    EXPECT_EQ(server.pressure().level, pressure_level::normal);
    auto again = sim.connect(server);
    again.send("?");
    sim.advance(1s);
    EXPECT_TRUE(again.is_open());
    EXPECT_EQ(again.received(), "");
  });
}

TEST(pressure, refusals_in_words_are_bounded_and_end) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto calls = echoing();
    calls.refusal = "full";
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, calls,
                             {.connections = 5, .full = when_full::refuse});
    auto kept = connect(sim, server, 5);
    std::vector<peer> crowd;
    for (int i = 0; i < 100; ++i) {
      crowd.push_back(sim.connect(server));
      crowd.back().send("hello?");
    }
    sim.advance(10ms);
    const auto told = std::count_if(crowd.begin(), crowd.end(),
                                    [](const peer& each) { return each.received() == "full"; });
    const auto reset = std::count_if(crowd.begin(), crowd.end(),
                                     [](const peer& each) { return each.got_reset(); });
    EXPECT_EQ(told, 64);
    EXPECT_EQ(reset, 36);
    EXPECT_EQ(server.counts().refused, 100U);
    sim.advance(6s);  // deadlines.close
    EXPECT_EQ(server.counts().live, 5U);
    auto next = sim.connect(server);
    sim.advance(10ms);
    EXPECT_EQ(next.received(), "full");
    kept[0].close();
    sim.advance(1s);
    auto lucky = sim.connect(server);
    lucky.send("ping");
    sim.advance(10ms);
    EXPECT_EQ(lucky.received(), "ping");
  });
}

TEST(pressure, without_descriptors_the_idle_make_room) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, echo);
    const auto idle = connect(sim, server, 100);
    sim.set_faults({.accept_failures = 1});
    auto more = sim.connect(server);
    more.send("?");
    sim.advance(100ms);
    EXPECT_LT(server.counts().live, 100U);
    EXPECT_EQ(server.pressure().cause, pressure_cause::descriptors);
    EXPECT_EQ(server.pressure().level, pressure_level::evict_idle);
    sim.set_faults({});
    sim.advance(3s);
    EXPECT_EQ(server.pressure().level, pressure_level::normal);
    EXPECT_GT(server.counts().evicted, 0U);
  });
}

TEST(reap_rate, spreads_those_that_are_due_together) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 10s}}, echo, {.pressure = {.reap_rate = 20}});
    auto peers = connect(sim, server, 100, 0ms);
    sim.advance(9'990ms);
    EXPECT_EQ(open_ones(peers), 100);
    for (int second = 1; second <= 4; ++second) {
      sim.advance(1s);
      EXPECT_NEAR(static_cast<double>(open_ones(peers)), 100 - 20 * second, 1) << second;
    }
    peers[99].send("ping");  // late, but not too late
    sim.advance(2s);
    EXPECT_EQ(server.counts().reaped_later, 99U);
    EXPECT_EQ(server.counts().live, peers[99].received() == "ping" ? 1U : 0U);
    sim.advance(10s);
    EXPECT_EQ(server.counts().live, 0U);
  });
}

}  // namespace
