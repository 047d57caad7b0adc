// Limits and the end of the server: who is let in, who has to go, what a failing accept does.
#include "scenario.hpp"

#include <algorithm>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;
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

TEST(limit, evict_idle_makes_room_by_the_longest_idle) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, echo, {.connections = 50});
    auto old = connect(sim, server, 50);
    for (std::size_t i = 0; i < 25; ++i) old[i].send("ping");  // the first half is the busier one
    sim.advance(1s);
    auto fresh = connect(sim, server, 25);
    sim.advance(1s);
    EXPECT_EQ(open_ones(fresh), 25);
    for (std::size_t i = 0; i < 25; ++i) EXPECT_TRUE(old[i].is_open()) << i;
    for (std::size_t i = 25; i < 50; ++i) {
      EXPECT_EQ(old[i].record().reason, close_reason::overload) << i;
      EXPECT_TRUE(old[i].got_reset());
    }
    EXPECT_EQ(server.counts().evicted, 25);
    EXPECT_EQ(server.counts().live, 50);
  });
}

TEST(limit, evict_idle_takes_nobody_whose_bytes_have_arrived) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, echo, {.connections = 10});
    auto old = connect(sim, server, 10);
    sim.freeze(server, 1s);
    for (auto& each : old) each.send("ping");
    sim.connect(server);
    sim.advance(2s);
    for (auto& each : old) {
      if (!each.is_open() && each.record().received == 0) {
        ADD_FAILURE() << "closed with a request in its queue";
      }
    }
  });
}

TEST(limit, without_an_idle_one_new_connections_wait) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto busy = [](connection& peer) -> dwell::task<> {
      while (co_await peer.read()) co_await dwell::sleep_for(10s);
    };
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, busy,
                             {.connections = 5, .pressure = {.patience = dwell::off}});
    auto old = connect(sim, server, 5);
    for (auto& each : old) each.send("?");
    sim.advance(1ms);
    auto waiting = sim.connect(server);
    sim.advance(5s);
    EXPECT_TRUE(waiting.is_open());
    EXPECT_EQ(server.counts().opened, 5);
    EXPECT_EQ(server.counts().evicted, 0);
    old[2].reset();  // noticed when its handler next reads
    sim.advance(10s);
    EXPECT_EQ(server.counts().opened, 6);
  });
}

TEST(limit, pause_accept_lets_them_wait_in_the_queue) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, echo,
                             {.connections = 10, .full = when_full::pause_accept});
    auto peers = connect(sim, server, 15);
    for (auto& each : peers) each.send("ping");
    sim.advance(10s);
    EXPECT_EQ(server.counts().opened, 10);
    EXPECT_EQ(open_ones(peers), 15);
    for (std::size_t i = 0; i < 5; ++i) peers[i].close();
    sim.advance(1s);
    EXPECT_EQ(server.counts().opened, 15);
    for (std::size_t i = 5; i < 15; ++i) EXPECT_EQ(peers[i].received(), "ping");
    EXPECT_EQ(server.counts().live, 10);
  });
}

TEST(limit, refuse_tells_them_at_once) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, echo,
                             {.connections = 10, .full = when_full::refuse});
    auto peers = connect(sim, server, 15);
    sim.advance(1s);
    for (std::size_t i = 10; i < 15; ++i) EXPECT_TRUE(peers[i].got_reset()) << i;
    EXPECT_EQ(server.counts().refused, 5);
    EXPECT_EQ(server.counts().live, 10);
    peers[0].close();
    sim.advance(1s);
    auto next = sim.connect(server);
    sim.advance(1s);
    EXPECT_FALSE(next.got_reset());
  });
}

TEST(limit, of_twice_the_load_holds_for_each_policy_and_everybody_is_accounted_for) {
  for (const when_full policy :
       {when_full::evict_idle, when_full::pause_accept, when_full::refuse}) {
    with_seeds(
        [&](std::uint64_t seed) {
          simulation sim{{.seed = seed}};
          auto& server =
              sim.serve({.deadlines = {.idle = 5s}}, echo, {.connections = 100, .full = policy});
          std::vector<peer> peers;
          for (int i = 0; i < 200; ++i) {
            peers.push_back(sim.connect(server));
            peers.back().send("ping");
            if (i % 10 == 0) sim.advance(10ms);
            EXPECT_LE(server.counts().live, 100);
          }
          sim.advance(1min);
          const dwell::server_counts counts = server.counts();
          EXPECT_EQ(counts.live, 0);
          EXPECT_EQ(counts.opened + counts.refused, 200);
          if (policy == when_full::pause_accept) {
            for (auto& each : peers) EXPECT_EQ(each.received(), "ping");
          }
        },
        8);
  }
}

TEST(refusal, by_on_open_is_overload) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    int closes = 0;
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_open = [](connection&, no_session&) { return false; },
                               .on_close = [&](connection&, no_session&,
                                               const dwell::close_record&) { ++closes; }});
    auto peer = sim.connect(server);
    sim.advance(1s);
    EXPECT_EQ(peer.record().reason, close_reason::overload);
    EXPECT_EQ(closes, 1);
  });
}

TEST(accept, a_lack_of_descriptors_pauses_it_and_does_not_spin) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.accept_failures = 1}}};
    auto& server = sim.serve({}, echo);
    std::vector<peer> peers;
    for (int i = 0; i < 50; ++i) peers.push_back(sim.connect(server));
    const std::uint64_t before = sim.wakeups(server);
    sim.advance(10s);
    EXPECT_EQ(server.counts().opened, 0);
    EXPECT_GE(server.counts().accept_failed, 10);
    EXPECT_LT(server.counts().accept_failed, 500);  // 50 a second
    EXPECT_LT(sim.wakeups(server) - before, 500);
    sim.set_faults({});
    for (auto& each : peers) each.send("ping");
    sim.advance(1s);
    for (auto& each : peers) EXPECT_EQ(each.received(), "ping");
  });
}

TEST(accept, now_and_then_failing_loses_nobody) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.accept_failures = 0.3}}};
    auto& server = sim.serve({}, echo, {.connections = 30, .full = when_full::pause_accept});
    std::vector<peer> peers;
    for (int i = 0; i < 100; ++i) {
      peers.push_back(sim.connect(server));
      peers.back().send("ping");
      peers.back().close_after(4);
    }
    sim.advance(1min);
    for (auto& each : peers) EXPECT_EQ(each.received(), "ping");
    EXPECT_EQ(server.counts().opened, 100);
    EXPECT_EQ(server.counts().live, 0);
  });
}

TEST(watching, that_the_kernel_refuses_ends_that_connection) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.watch_failures = 0.5}}};
    auto& server = sim.serve({.deadlines = {.idle = 10s}}, echo);
    auto peers = connect(sim, server, 100);
    sim.advance(1s);
    const long refused =
        std::count_if(peers.begin(), peers.end(), [](const peer& p) { return !p.is_open(); });
    EXPECT_GT(refused, 20);
    EXPECT_LT(refused, 80);
    for (auto& each : peers) {
      if (each.is_open()) continue;
      EXPECT_EQ(each.record().reason, close_reason::overload);
      EXPECT_TRUE(each.got_reset());
    }
    sim.advance(1min);
    EXPECT_EQ(server.counts().live, 0);
  });
}

/// Answers each message after a second.
dwell::task<> slow_echo(connection& peer) {
  while (auto data = co_await peer.read()) {
    co_await dwell::sleep_for(1s);
    co_await peer.write(data);
  }
}

TEST(drain, closes_idle_ones_at_once_and_others_after_their_exchange) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, slow_echo);
    auto idle = sim.connect(server), busy = sim.connect(server);
    sim.advance(1s);
    busy.send("ping");
    sim.advance(1ms);
    server.drain();
    sim.advance(1ms);
    EXPECT_EQ(idle.record().reason, close_reason::drain);
    EXPECT_TRUE(idle.got_end());
    EXPECT_TRUE(busy.is_open());
    auto late = sim.connect(server);
    sim.advance(2s);
    EXPECT_EQ(busy.received(), "ping");
    EXPECT_EQ(busy.record().reason, close_reason::drain);
    EXPECT_TRUE(late.got_reset());
    EXPECT_EQ(server.counts().live, 0);
  });
}

TEST(drain, aborts_the_rest_at_its_deadline) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto stuck = [](connection& peer) -> dwell::task<> {
      while (co_await peer.read()) {
        while (co_await dwell::sleep_for(1h)) {
        }
      }
    };
    auto& server =
        sim.serve({.deadlines = {.handle = dwell::off}}, stuck, {.drain = {.deadline = 10s}});
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(1s);
    server.drain();
    sim.advance(9'999ms);
    EXPECT_TRUE(peer.is_open());
    sim.advance(1s);
    EXPECT_EQ(peer.record().reason, close_reason::drain);
    EXPECT_EQ(peer.record().done, close_method::abort);
    EXPECT_TRUE(peer.got_reset());
  });
}

TEST(drain, goes_on_listening_during_its_delay) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echo, {.drain = {.deadline = 10s, .delay = 5s}});
    server.drain();
    sim.advance(4s);
    auto late = sim.connect(server);
    late.send("ping");
    sim.advance(500ms);
    EXPECT_EQ(late.received(), "ping");
    sim.advance(1s);
    auto too_late = sim.connect(server);
    sim.advance(1s);
    EXPECT_TRUE(too_late.got_reset());
    EXPECT_FALSE(late.is_open());
  });
}

TEST(drain, ends_who_becomes_idle_without_an_exchange) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<dwell::owed> answers;
    auto& server =
        sim.serve({.deadlines = {.idle = 1h, .handle = 1h}},
                  dwell::callbacks<>{.on_data =
                                         [&](connection& peer, no_session&, dwell::bytes data) {
                                           answers.push_back(peer.owe());
                                           return data.size();
                                         }},
                  {.drain = {.deadline = 1min}});
    auto peer = sim.connect(server);
    peer.send("no answer needed");
    sim.advance(1s);
    server.drain();
    sim.advance(1s);
    EXPECT_TRUE(peer.is_open());
    answers.clear();
    sim.advance(1s);
    EXPECT_EQ(peer.record().reason, close_reason::drain);
    EXPECT_TRUE(peer.got_end());
  });
}

TEST(drain, serves_requests_that_arrived_before_its_fin) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echo);
    auto peers = connect(sim, server, 200);
    sim.freeze(server, 1s);
    for (auto& each : peers) each.send("ping");
    sim.advance(500ms);
    server.drain();
    sim.advance(10s);
    for (auto& each : peers) EXPECT_EQ(each.received(), "ping");
  });
}

TEST(stop, aborts_everything) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, slow_echo);
    auto peers = connect(sim, server, 100);
    for (std::size_t i = 0; i < 50; ++i) peers[i].send("ping");
    sim.advance(1ms);
    server.stop();
    sim.advance(1ms);
    for (auto& each : peers) {
      EXPECT_EQ(each.record().reason, close_reason::drain);
      EXPECT_TRUE(each.got_reset());
    }
    EXPECT_EQ(server.counts().live, 0);
    EXPECT_EQ(server.counts().waiting_for_frames, 0);
  });
}

TEST(server, destroyed_with_everything_under_way) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 5ms}}};
    auto& server = sim.serve({}, slow_echo);
    auto& other = sim.serve({.mode = dwell::connection_mode::short_lived}, echoing());
    for (int i = 0; i < 50; ++i) {
      sim.connect(server).send(pattern(10'000));
      sim.connect(other).send(pattern(10'000));
    }
    if (seed % 3 == 0) server.drain();
    sim.advance(dwell::duration{static_cast<int>(seed) * 3});
  }
}

}  // namespace
