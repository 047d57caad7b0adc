// How long a connection stays: each phase's deadline, to the millisecond. The handshake phase
// exists only under TLS.
#include "scenario.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;
using dwell::phase;

TEST(idle_deadline, closes_the_quiet_and_keeps_the_busy) {
  simulation sim{{.seed = 42}};
  auto& server = sim.serve({.deadlines = {.idle = 60s}}, echo);
  auto busy = sim.connect(server), quiet = sim.connect(server);

  for (int i = 0; i < 12; ++i) {
    busy.send("ping");
    sim.advance(10s);
  }

  EXPECT_TRUE(busy.is_open());
  EXPECT_EQ(quiet.closed_after(), 60s);
  EXPECT_EQ(quiet.record().reason, close_reason::idle_timeout);
}

TEST(idle_deadline, restarts_with_each_byte_in_either_direction) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    dwell::connection_id id;
    auto& server = sim.serve({.deadlines = {.idle = 60s}},
                             dwell::callbacks<>{.on_open = [&](connection& peer, no_session&) {
                               id = peer.id();
                               return true;
                             }});
    auto peer = sim.connect(server);
    sim.advance(59s);
    peer.send("x");
    sim.advance(59s);
    server.post(id, [](connection& c) { c.send("y"); });
    sim.advance(59s);
    EXPECT_TRUE(peer.is_open());
    sim.advance(1s);
    EXPECT_EQ(peer.closed_after(), 178s);
    EXPECT_EQ(peer.record().phase, phase::idle);
    EXPECT_EQ(peer.received(), "y");
  });
}

TEST(idle_deadline, is_exact_for_any_moment_of_the_last_byte) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 7'001ms}}, echo);
    auto peer = sim.connect(server);
    const dwell::duration quiet{static_cast<int>((seed * 7919) % 7'000)};
    sim.advance(quiet);
    peer.send("x");
    sim.advance(1min);
    EXPECT_EQ(peer.closed_after(), quiet + 7'001ms);
  }
}

TEST(idle_deadline, is_postponed_by_bytes_that_have_arrived) {
  int served = 0;
  int raced = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    simulation sim{{.seed = seed, .faults = {.delay = 5ms}}};
    auto& server = sim.serve({.deadlines = {.idle = 10s}}, echo);
    auto peer = sim.connect(server);
    sim.advance(
        10s);  // accepted at 5 ms, so due at 10,005 ms: the request arrives at that very instant
    peer.send("ping");
    sim.advance(1min);
    EXPECT_FALSE(peer.got_reset());
    peer.received() == "ping" ? ++served : ++raced;
    const auto round_trip = 10ms;  // our FIN, and the peer's
    EXPECT_EQ(peer.closed_after(), (peer.received() == "ping" ? 20s : 10s) + round_trip);
  }
  EXPECT_GT(served, 0);
  EXPECT_GT(raced, 0);
}

// So many peers answer our FIN at once that most of them are closed in later turns.
TEST(idle_deadline, of_many_at_once_is_over_when_their_peers_have_answered) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 5ms}}};
    auto& server = sim.serve({.deadlines = {.idle = 1s}}, dwell::callbacks<>{});
    std::vector<dwell::testing::peer> quiet;
    for (int i = 0; i < 500; ++i) quiet.push_back(sim.connect(server));
    sim.advance(1008ms);  // our FINs are on their way, the first of the peers' have not come
    sim.freeze(server, 20ms);
    sim.advance(50ms);
    for (const auto& each : quiet) {
      ASSERT_FALSE(each.is_open());
      EXPECT_EQ(each.record().reason, dwell::close_reason::idle_timeout);
      EXPECT_EQ(each.record().time_wait, dwell::time_wait::here);
      EXPECT_TRUE(each.got_end());
    }
    EXPECT_EQ(server.counts().live, 0U);
  });
}

TEST(idle_deadline, off_keeps_a_connection_for_a_month) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({.deadlines = {.idle = dwell::off}}, echo);
  auto peer = sim.connect(server);
  sim.advance(24h * 60);  // the 32-bit clock wraps meanwhile
  EXPECT_TRUE(peer.is_open());
  peer.send("still there?");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "still there?");
}

TEST(idle_deadline, of_24_days_is_exact) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 24h * 24}}, echo);
    auto peer = sim.connect(server);
    sim.advance(24h * 25);
    EXPECT_EQ(peer.closed_after(), 24h * 24);
  });
}

/// Lines: consumes whole ones only, so that half of one is a message under way.
dwell::callbacks<> lines() {
  return {.on_data = [](connection& peer, no_session&, dwell::bytes data) {
    const std::size_t whole = data.text().rfind('\n') + 1;
    if (whole != 0) peer.send(data.first(whole));
    return whole;
  }};
}

TEST(read_deadline, is_absolute_from_the_first_byte_of_a_message) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 60s, .read = 10s}}, lines());
    auto slow = sim.connect(server), fine = sim.connect(server);
    sim.advance(5s);
    for (int i = 0; i < 12; ++i) {
      slow.send("x");
      fine.send(i % 8 == 7 ? "\n" : "y");
      sim.advance(1s);
    }
    EXPECT_EQ(slow.closed_after(), 15s);
    EXPECT_EQ(slow.record().reason, close_reason::read_timeout);
    EXPECT_EQ(slow.record().phase, phase::read);
    EXPECT_TRUE(fine.is_open());
    EXPECT_EQ(fine.received(), "yyyyyyy\n");
  });
}

TEST(read_deadline, of_a_protocol_starts_with_its_message) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.idle = 60s, .read = 10s}},
                  dwell::callbacks<>{.on_open =
                                         [](connection& peer, no_session&) {
                                           peer.delimits_messages();
                                           return true;
                                         },
                                     .on_data =
                                         [](connection& peer, no_session&, dwell::bytes data) {
                                           peer.message_started();
                                           return data.size();
                                         }});
    auto peer = sim.connect(server);
    sim.advance(20s);
    peer.send("GET");
    sim.advance(20s);
    EXPECT_EQ(peer.closed_after(), 30s);
    EXPECT_EQ(peer.record().reason, close_reason::read_timeout);
  });
}

struct waiting {
  dwell::owed answer;
};

/// Answers after a time, by a timer that owns what is owed.
dwell::callbacks<> answering_after(dwell::duration time) {
  return {.on_data = [time](connection& peer, no_session&, dwell::bytes data) {
    peer.after(time, [owed = peer.owe()](connection& c) { c.send("answer"); });
    return data.size();
  }};
}

TEST(handle_deadline, bounds_an_answer_that_is_owed) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& slow = sim.serve({.deadlines = {.idle = 5s, .handle = 30s}}, answering_after(31s));
    auto& fine = sim.serve({.deadlines = {.idle = 5s, .handle = 30s}}, answering_after(29s));
    auto late = sim.connect(slow), served = sim.connect(fine);
    sim.advance(1s);
    late.send("?");
    served.send("?");
    sim.advance(29s);
    EXPECT_EQ(served.received(), "answer");
    sim.advance(10s);
    EXPECT_EQ(late.closed_after(), 31s);
    EXPECT_EQ(late.record().reason, close_reason::handle_timeout);
    EXPECT_EQ(late.received(), "");
    EXPECT_EQ(served.closed_after(), 35s);
    EXPECT_EQ(served.record().reason, close_reason::idle_timeout);
  });
}

TEST(handle_deadline, covers_a_coroutine_outside_of_read_and_write) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    bool slept_to_the_end = true;
    const auto sleepy = [&](connection& peer) -> dwell::task<> {
      while (co_await peer.read()) slept_to_the_end = co_await dwell::sleep_for(40s);
    };
    auto& server = sim.serve({.deadlines = {.idle = 5s, .handle = 30s}}, sleepy);
    auto peer = sim.connect(server);
    sim.advance(2s);
    peer.send("?");
    sim.advance(1min);
    EXPECT_EQ(peer.closed_after(), 32s);
    EXPECT_EQ(peer.record().reason, close_reason::handle_timeout);
    EXPECT_FALSE(slept_to_the_end);
    EXPECT_EQ(server.counts().waiting_for_frames, 0);
  });
}

TEST(handle_deadline, tells_the_handler_who_may_send_a_last_word) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.handle = 3s}},
                  dwell::callbacks<waiting>{
                      .on_data =
                          [](connection& peer, waiting& self, dwell::bytes data) {
                            self.answer = peer.owe();
                            return data.size();
                          },
                      .on_deadline = [](connection& peer, waiting&,
                                        close_reason why) { peer.send(to_string(why)); }});
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(1min);
    EXPECT_EQ(peer.received(), "handle_timeout");
    EXPECT_TRUE(peer.got_end());
    EXPECT_EQ(peer.closed_after(), 3s);
  });
}

TEST(handle_deadline, grows_by_a_stall_of_the_loop) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.handle = 10s}}, answering_after(9'500ms));
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(9s);
    sim.freeze(server, 20s);
    sim.advance(20s);
    EXPECT_EQ(peer.received(), "answer");
    EXPECT_TRUE(peer.is_open());
  });
}

TEST(handle_deadline, does_not_hide_an_answer_posted_during_a_stall) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    dwell::connection_id id;
    auto& server =
        sim.serve({.deadlines = {.handle = 10s}},
                  dwell::callbacks<waiting>{
                      .on_data = [&](connection& peer, waiting& self, dwell::bytes data) {
                        id = peer.id();
                        self.answer = peer.owe();
                        return data.size();
                      }});
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(9'990ms);
    sim.freeze(server, 20s);
    server.post(id, [](connection& c) { c.send("answer"); });
    sim.advance(21s);
    EXPECT_EQ(peer.received(), "answer");
  });
}

TEST(stall, does_not_reap_whose_bytes_came_meanwhile) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 10s}}, echo);
    std::vector<peer> peers;
    for (int i = 0; i < 300; ++i) peers.push_back(sim.connect(server));
    sim.advance(5s);
    sim.freeze(server, 30s);
    sim.advance(1s);
    for (auto& each : peers) each.send("ping");
    sim.advance(29s);
    for (auto& each : peers) {
      ASSERT_EQ(each.received(), "ping");
      ASSERT_TRUE(each.is_open());
    }
  });
}

TEST(write_deadline, ends_who_does_not_read) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.idle = 5s, .write = 20s}, .limits = {.output = 4 << 20}},
                  dwell::callbacks<>{.on_open = [](connection& peer, no_session&) {
                    peer.send(pattern(1 << 20));
                    return true;
                  }});
    auto peer = sim.connect(server);
    peer.stop_reading();
    sim.advance(1min);
    EXPECT_GE(*peer.closed_after(), 20s);  // its kernel took some at once, its application nothing
    EXPECT_LE(*peer.closed_after(), 20s + 2'500ms);
    EXPECT_EQ(peer.record().reason, close_reason::write_timeout);
    EXPECT_EQ(peer.record().phase, phase::write);
    EXPECT_EQ(peer.record().done, close_method::abort);
    EXPECT_GT(peer.record().unsent, 500'000);
    peer.start_reading();
    sim.advance(1s);
    EXPECT_TRUE(peer.got_reset());
  });
}

TEST(write_deadline, counts_what_the_kernel_holds_unacknowledged) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 60s, .write = 20s}}, echo);
    auto gone = sim.connect(server);
    sim.advance(1s);
    gone.send("ping");
    sim.run_until([&] { return server.counts().received == 4; }, 1s);
    gone.vanish();
    sim.advance(2min);
    EXPECT_EQ(gone.closed_after(), 21s);
    EXPECT_EQ(gone.record().reason, close_reason::write_timeout);
  });
}

TEST(write_deadline, restarts_with_each_byte_that_is_acknowledged) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.idle = 5s, .write = 20s}, .limits = {.output = 4 << 20}},
                  dwell::callbacks<>{.on_open = [](connection& peer, no_session&) {
                    peer.send(pattern(1 << 20));
                    return true;
                  }});
    auto peer = sim.connect(server);
    peer.stop_reading();
    for (int i = 0; i < 40; ++i) {  // a slow reader stays
      sim.advance(15s);
      peer.start_reading();
      peer.stop_reading();
      if (!peer.is_open()) break;
    }
    EXPECT_EQ(peer.record().reason, close_reason::idle_timeout);
    EXPECT_EQ(peer.received().size(), 1 << 20);
    EXPECT_TRUE(peer.received() == pattern(1 << 20));
  });
}

TEST(write_deadline, restarts_with_bytes_too_few_for_the_socket_to_become_writable) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.idle = 5s, .write = 20s}, .limits = {.output = 4 << 20}},
                  dwell::callbacks<>{.on_open = [](connection& peer, no_session&) {
                    peer.send(pattern(1 << 20));
                    return true;
                  }});
    auto peer = sim.connect(server);
    peer.stop_reading();
    sim.advance(1s);
    peer.start_reading();
    peer.stop_reading();
    sim.advance(14s);
    peer.start_reading();  // takes one receive buffer
    peer.stop_reading();
    sim.advance(5min);
    EXPECT_GE(*peer.closed_after(), 35s);
    EXPECT_LE(*peer.closed_after(), 35s + 2'500ms);
    EXPECT_EQ(peer.record().reason, close_reason::write_timeout);
  });
}

TEST(write_deadline, the_kernel_gives_up_first_when_it_is_told_to) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.write = 60s}, .socket = {.user_timeout = 5s}}, echo);
    auto gone = sim.connect(server);
    sim.advance(1s);
    gone.send("ping");
    sim.run_until([&] { return server.counts().received == 4; }, 1s);
    gone.vanish();
    sim.advance(2min);
    EXPECT_EQ(gone.record().reason, close_reason::peer_vanished);
    EXPECT_EQ(gone.record().error, ETIMEDOUT);
    EXPECT_EQ(gone.record().time_wait, dwell::time_wait::nowhere);
    EXPECT_LE(gone.closed_after(), 7s);
  });
}

TEST(close_deadline, bounds_lingering) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(
        {.deadlines = {.close = 5s}},
        dwell::callbacks<>{.on_data = [](connection& peer, no_session&, dwell::bytes data) {
          peer.send("no");
          peer.close(close_reason::protocol_error);
          return data.size();
        }});
    auto peer = sim.connect(server);
    peer.stay_at_end();
    peer.send("garbage");
    sim.advance(1s);
    EXPECT_EQ(peer.received(), "no");
    EXPECT_TRUE(peer.got_end());
    EXPECT_TRUE(peer.is_open());
    sim.advance(1min);
    EXPECT_EQ(peer.closed_after(), 5s);
    EXPECT_TRUE(peer.record().lingered);
  });
}

TEST(lifetime, ends_an_idle_connection_jittered_by_a_tenth) {
  simulation sim{{.seed = 3}};
  auto& server = sim.serve({.deadlines = {.idle = dwell::off, .lifetime = 100s}}, echo);
  std::vector<peer> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(sim.connect(server));
  sim.advance(3min);
  std::vector<dwell::duration> ends;
  for (auto& each : peers) {
    ASSERT_TRUE(each.closed_after());
    EXPECT_EQ(each.record().reason, close_reason::lifetime);
    EXPECT_GE(*each.closed_after(), 100s);
    EXPECT_LE(*each.closed_after(), 110s);
    ends.push_back(*each.closed_after());
  }
  std::sort(ends.begin(), ends.end());
  EXPECT_LT(ends.front(), 102s);  // all of the tenth is used
  EXPECT_GT(ends.back(), 108s);
  EXPECT_GT(std::unique(ends.begin(), ends.end()) - ends.begin(), 150);
}

TEST(lifetime, takes_effect_after_the_current_exchange) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.handle = 1h, .lifetime = 100s}}, answering_after(200s));
    auto peer = sim.connect(server);
    sim.advance(50s);
    peer.send("?");
    sim.advance(10min);
    EXPECT_EQ(peer.received(), "answer");
    EXPECT_EQ(peer.closed_after(), 250s);
    EXPECT_EQ(peer.record().reason, close_reason::lifetime);
  });
}

TEST(set_deadline, overrides_for_one_connection_and_both_ways) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    // Five seconds to log in, an hour afterwards.
    auto& server =
        sim.serve({.deadlines = {.idle = 60s}},
                  dwell::callbacks<>{.on_open =
                                         [](connection& peer, no_session&) {
                                           peer.set_deadline(phase::idle, 5s);
                                           return true;
                                         },
                                     .on_data =
                                         [](connection& peer, no_session&, dwell::bytes data) {
                                           peer.set_deadline(phase::idle, 1h);
                                           return data.size();
                                         }});
    auto stranger = sim.connect(server), user = sim.connect(server);
    sim.advance(1s);
    user.send("password");
    sim.advance(2h);
    EXPECT_EQ(stranger.closed_after(), 5s);
    EXPECT_EQ(user.closed_after(), 1h + 1s);
  });
}

TEST(after, runs_once_at_its_time_unless_the_connection_has_gone) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<dwell::duration> calls;
    auto& server =
        sim.serve({.deadlines = {.idle = 50s}},
                  dwell::callbacks<>{.on_open = [&](connection& peer, no_session&) {
                    for (const auto delay : {0s, 30s, 10s, 70s}) {
                      peer.after(delay, [&](connection& c) { calls.push_back(c.age()); });
                    }
                    return true;
                  }});
    sim.connect(server);
    sim.advance(5min);
    EXPECT_EQ(calls, (std::vector<dwell::duration>{0s, 10s, 30s}));
  });
}

TEST(connection, tells_its_phase_and_the_time_left) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::optional<dwell::duration>> left;
    std::vector<phase> phases;
    const auto look = [&](connection& c) {
      left.push_back(c.time_left());
      phases.push_back(c.phase());
    };
    dwell::connection_id id;
    auto& server = sim.serve(
        {.deadlines = {.idle = 60s, .read = 10s, .handle = dwell::off}},
        dwell::callbacks<waiting>{.on_open =
                                      [&](connection& peer, waiting&) {
                                        id = peer.id();
                                        return true;
                                      },
                                  .on_data =
                                      [&](connection& peer, waiting& self, dwell::bytes data) {
                                        if (data.size() < 4) return std::size_t{0};
                                        self.answer = peer.owe();
                                        return data.size();
                                      }});
    auto peer = sim.connect(server);
    const auto ask = [&] {
      server.post(id, look);
      sim.advance(1ms);
    };
    sim.advance(15s);
    ask();
    peer.send("ab");
    sim.advance(4s);
    ask();
    peer.send("cd");
    sim.advance(1s);
    ask();
    EXPECT_EQ(phases, (std::vector{phase::idle, phase::read, phase::handle}));
    EXPECT_EQ(left, (std::vector<std::optional<dwell::duration>>{45s, 6s, std::nullopt}));
  });
}

TEST(connection, tells_the_time_left_although_it_asks_for_acknowledgements_before) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::optional<dwell::duration>> left;
    dwell::connection_id id;
    auto& server = sim.serve({.deadlines = {.idle = 1h, .write = 8s}},
                             dwell::callbacks<>{.on_data = [&](connection& peer, auto&, auto data) {
                               id = peer.id();
                               peer.send("answer");
                               return data.size();
                             }});
    auto peer = sim.connect(server);
    peer.send("ab");
    while (id.generation == 0) sim.advance(1ms);
    for (int i = 0; i < 20; ++i) {
      server.post(id, [&](connection& c) { left.push_back(c.time_left()); });
      sim.advance(1s);
    }
    ASSERT_EQ(left.size(), 20U);
    for (const auto& each : left) EXPECT_GT(each, 1h - 21s);
  });
}

TEST(connection, tells_the_time_by_a_clock_that_all_loops_share) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::chrono::steady_clock::time_point> now, came;
    auto& server = sim.serve({.deadlines = {.idle = 1h}}, dwell::callbacks<>{});
    sim.connect(server);
    sim.advance(1s);
    for (int i = 0; i < 3; ++i) {
      server.each([&](connection& c) {
        now.push_back(c.now());
        came.push_back(c.now() - c.age());
      });
      sim.advance(15s);
    }
    ASSERT_EQ(now.size(), 3U);
    EXPECT_GE(now[1] - now[0], 15s - 100ms);
    EXPECT_LE(now[1] - now[0], 15s + 100ms);
    EXPECT_EQ(came, std::vector(3, came.front()));
  });
}

}  // namespace
