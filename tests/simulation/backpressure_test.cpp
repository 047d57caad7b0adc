// Watermarks, pause and resume, and that nobody spins for a peer that nobody reads from.
#include "scenario.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;

TEST(watermarks, stop_reading_above_the_high_one_and_go_on_below_the_low_one) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.short_writes = 0.1}}};
    std::size_t most_queued = 0;
    int asked = 0;
    int writable = 0;
    auto& server = sim.serve(
        {.limits = {.output = 4 << 20, .high_watermark = 64 << 10, .low_watermark = 16 << 10}},
        dwell::callbacks<>{.on_data =
                               [&](connection& peer, no_session&, dwell::bytes data) {
                                 std::size_t taken = 0;  // the rest comes again when there is room
                                 while (taken < data.size() && peer.queued() <= 64 << 10) {
                                   ++taken;
                                   ++asked;
                                   peer.send(pattern(10'000));
                                   most_queued = std::max(most_queued, peer.queued());
                                 }
                                 return taken;
                               },
                           .on_writable =
                               [&](connection& peer, no_session&) {
                                 ++writable;
                                 EXPECT_LT(peer.queued(), 16 << 10);
                               }});
    auto peer = sim.connect(server);
    peer.stop_reading();
    for (int i = 0; i < 500; ++i) {  // asks for 5 MB, and takes none
      peer.send("x");
      sim.advance(1ms);
    }
    EXPECT_LT(asked, 100);  // the rest of its requests waits with its own kernel
    EXPECT_LE(most_queued, (64 << 10) + 10'000);
    peer.start_reading();
    sim.advance(10s);
    EXPECT_EQ(asked, 500);
    EXPECT_EQ(peer.received().size(), 5'000'000);
    EXPECT_GT(writable, 0);
  });
}

TEST(watermarks, more_output_than_the_limit_ends_the_connection) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    bool refused = false;
    auto& server =
        sim.serve({.limits = {.output = 1 << 20}},
                  dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes d) {
                    while (peer.send(pattern(100'000))) {
                    }
                    refused = true;
                    return d.size();
                  }});
    auto peer = sim.connect(server);
    peer.stop_reading();
    peer.send("x");
    sim.advance(1s);
    EXPECT_TRUE(refused);
    EXPECT_EQ(peer.record().reason, close_reason::write_timeout);
    EXPECT_EQ(peer.closed_after(), 0s);
  });
}

TEST(watermarks, a_coroutine_waits_in_write_and_every_byte_arrives) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 1ms, .short_writes = 0.3}}};
    std::size_t most_queued = 0;
    const auto pouring = [&](connection& peer) -> dwell::task<> {
      const std::string chunk = pattern(10'000);
      for (int i = 0; i < 300; ++i) {
        if (!co_await peer.write(chunk)) co_return;
        most_queued = std::max(most_queued, peer.queued());
      }
      co_await peer.flush();
      EXPECT_EQ(peer.queued(), 0);
    };
    auto& server = sim.serve({}, pouring);
    auto peer = sim.connect(server);
    sim.advance(1min);
    EXPECT_EQ(peer.received().size(), 3'000'000);
    EXPECT_LE(most_queued, (64 << 10) + 10'000);
    EXPECT_TRUE(peer.got_end());
    EXPECT_EQ(peer.record().reason, close_reason::finished);
  });
}

TEST(pause, leaves_bytes_with_the_peer_until_resume) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::string heard;
    dwell::connection_id id;
    auto& server =
        sim.serve({.deadlines = {.handle = 1h}},
                  dwell::callbacks<>{.on_open =
                                         [&](connection& peer, no_session&) {
                                           id = peer.id();
                                           peer.pause();
                                           return true;
                                         },
                                     .on_data =
                                         [&](connection& peer, no_session&, dwell::bytes data) {
                                           heard += data.text();
                                           peer.pause();
                                           return data.size();
                                         }});
    auto peer = sim.connect(server);
    const std::string sent = pattern(400'000);
    peer.send(sent);
    sim.advance(1min);
    EXPECT_EQ(heard, "");
    for (int i = 0; i < 100 && heard.size() < sent.size(); ++i) {
      server.post(id, [](connection& c) { c.resume(); });
      sim.advance(1s);
    }
    EXPECT_TRUE(heard == sent);
  });
}

TEST(pause, in_the_same_callback_as_resume_changes_nothing) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_data = [](connection& peer, no_session&, dwell::bytes data) {
          peer.pause();
          peer.resume();
          peer.send(data);
          return data.size();
        }});
    auto peer = sim.connect(server);
    for (int i = 0; i < 10; ++i) {
      peer.send("ping");
      sim.advance(1ms);
    }
    EXPECT_EQ(peer.received().size(), 40);
  });
}

TEST(kept_input, comes_again_in_front_of_what_follows) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.short_reads = 0.7}}};
    std::vector<std::string> lines;
    auto& server =
        sim.serve({.deadlines = {.read = 1h}},
                  dwell::callbacks<>{.on_data = [&](connection&, no_session&, dwell::bytes d) {
                    std::size_t used = 0;  // one line each time, the rest is given back
                    const auto end = d.text().find('\n');
                    if (end != std::string_view::npos) {
                      lines.emplace_back(d.text().substr(0, end));
                      used = end + 1;
                    }
                    return used;
                  }});
    auto peer = sim.connect(server);
    std::string sent;
    for (int i = 0; i < 50; ++i) sent += "line " + std::to_string(i) + "\n";
    peer.send(sent);
    sim.advance(1s);
    for (int i = 0; i < 60; ++i) {  // each byte that comes lets one more line be taken
      peer.send("x");
      sim.advance(1s);
    }
    ASSERT_GE(lines.size(), 50);
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(lines[static_cast<std::size_t>(i)], "line " + std::to_string(i));
    }
  });
}

TEST(kept_input, beyond_the_limit_is_a_protocol_error) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.read = 1h}, .limits = {.message = 1'000}},
                  dwell::callbacks<>{.on_data = [](connection&, no_session&, dwell::bytes) {
                    return std::size_t{0};
                  }});
    auto within = sim.connect(server), beyond = sim.connect(server);
    within.send(pattern(1'000));
    beyond.send(pattern(1'001));
    sim.advance(10s);
    EXPECT_TRUE(within.is_open());
    EXPECT_EQ(beyond.record().reason, close_reason::protocol_error);
    EXPECT_EQ(beyond.record().unread, 1'001);
  });
}

enum class situation { paused, above_high_watermark, coroutine_busy, half_closed, closing };
enum class ending { bytes, fin, reset, both_shut };

class nobody_reads : public ::testing::TestWithParam<std::tuple<situation, ending>> {};

TEST_P(nobody_reads, and_the_loop_does_not_spin) {
  const auto [where, how] = GetParam();
  with_seeds([&, where = where, how = how](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    dwell::connection_id id;
    dwell::service_options options{.deadlines = {.idle = 1h, .handle = 1h, .write = 1h},
                                   .limits = {.output = 4 << 20}};
    const auto busy = [&](connection& peer) -> dwell::task<> {
      id = peer.id();
      while (co_await dwell::sleep_for(1h)) {
      }
    };
    const dwell::callbacks<> calls{.on_open =
                                       [&](connection& peer, no_session&) {
                                         id = peer.id();
                                         if (where == situation::paused) peer.pause();
                                         if (where == situation::above_high_watermark)
                                           peer.send(pattern(2 << 20));
                                         if (where == situation::closing) {
                                           peer.send(pattern(2 << 20));
                                           peer.close();
                                         }
                                         if (where == situation::half_closed) {
                                           peer.pause();
                                           peer.shutdown_send();
                                         }
                                         return true;
                                       },
                                   .on_peer_closed = [](connection&, no_session&) {}};
    auto& server =
        where == situation::coroutine_busy ? sim.serve(options, busy) : sim.serve(options, calls);
    auto peer = sim.connect(server);
    peer.stop_reading();
    peer.stay_at_end();
    sim.advance(1min);
    const std::uint64_t before = sim.wakeups(server);
    peer.send(pattern(1'000));
    switch (how) {
      case ending::bytes: break;
      case ending::fin: peer.shutdown_send(); break;
      case ending::reset: peer.reset(); break;
      case ending::both_shut:
        server.post(id, [](connection& c) { c.shutdown_send(); });
        peer.shutdown_send();
        break;
    }
    sim.advance(10s);
    EXPECT_LE(sim.wakeups(server) - before, 4);
  });
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<situation, ending>>& each) {
  constexpr const char* where[] = {"paused", "above_high_watermark", "coroutine_busy",
                                   "half_closed", "closing"};
  constexpr const char* how[] = {"bytes", "fin", "reset", "both_shut"};
  return std::string{where[static_cast<int>(std::get<0>(each.param))]} + "_" +
         how[static_cast<int>(std::get<1>(each.param))];
}

INSTANTIATE_TEST_SUITE_P(
    wakeups, nobody_reads,
    ::testing::Combine(
        ::testing::Values(situation::paused, situation::above_high_watermark,
                          situation::coroutine_busy, situation::half_closed, situation::closing),
        ::testing::Values(ending::bytes, ending::fin, ending::reset, ending::both_shut)),
    name_of);

TEST(paused_input, a_peer_that_has_gone_is_noticed_when_somebody_reads_again) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::string> seen;
    dwell::connection_id id;
    auto& server =
        sim.serve({.deadlines = {.handle = 1h}},
                  dwell::callbacks<>{.on_open =
                                         [&](connection& peer, no_session&) {
                                           id = peer.id();
                                           peer.pause();
                                           return true;
                                         },
                                     .on_data =
                                         [&](connection&, no_session&, dwell::bytes data) {
                                           seen.emplace_back(data.text());
                                           return data.size();
                                         },
                                     .on_peer_closed =
                                         [&](connection& peer, no_session&) {
                                           seen.emplace_back("fin");
                                           peer.close();
                                         }});
    auto leaving = sim.connect(server);
    leaving.send("last words");
    leaving.close();
    sim.advance(1min);
    EXPECT_TRUE(leaving.is_open());
    server.post(id, [](connection& c) { c.resume(); });
    sim.advance(1s);
    EXPECT_EQ(seen, (std::vector<std::string>{"last words", "fin"}));
    EXPECT_EQ(leaving.record().first, dwell::first_closer::peer);
  });
}

}  // namespace
