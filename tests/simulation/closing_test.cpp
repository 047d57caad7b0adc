// How a connection leaves: every close method for every reason, what the peer gets, and where
// TIME_WAIT ends up.
#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_record.hpp>

#include "scenario.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

using dwell::certainty;
using dwell::close_record;
using dwell::connection;
using dwell::first_closer;
using dwell::no_session;
using dwell::phase;
using dwell::time_wait;

struct holding {
  dwell::owed answer;
};

/// Does what it is told by the first byte of each line.
dwell::callbacks<holding> obedient() {
  return {.on_data =
              [](connection& peer, holding& self, dwell::bytes data) {
                if (data.text().back() != '\n') return std::size_t{0};  // read phase
                switch (data.text().front()) {
                  case 'c': peer.close(); break;
                  case 'h': self.answer = peer.owe(); break;
                  case 't': throw std::runtime_error{"told to"};
                  case 'w': peer.send(pattern(900'000)); break;
                  default: peer.send(data);
                }
                return data.size();
              },
          .announces_close = true};
}

constexpr std::array reasons_of_ours = {close_reason::finished,       close_reason::idle_timeout,
                                        close_reason::lifetime,       close_reason::read_timeout,
                                        close_reason::handle_timeout, close_reason::write_timeout,
                                        close_reason::overload,       close_reason::drain,
                                        close_reason::protocol_error, close_reason::handler_failed};

struct outcome {
  close_record record;
  time_wait placed = time_wait::not_applicable;
  bool got_end = false;
  bool got_reset = false;
  std::size_t received = 0;
};

/// One connection that ends for `reason`, with `method` for every kind of it.
outcome end_by(close_reason reason, close_method method, std::uint64_t seed,
               dwell::testing::faults faults) {
  simulation sim{{.seed = seed, .faults = faults}};
  dwell::service_options options{
      .deadlines = {.idle = 20s, .read = 5s, .handle = 5s, .write = 30s, .close = 5s},
      .close = {method, method, method, method, method, method, method, method},
      .limits = {.message = 1'000}};
  if (reason == close_reason::lifetime) options.deadlines.lifetime = 10s;
  auto& server =
      sim.serve(options, obedient(), {.connections = 1, .pressure = {.idle_share = 100}});
  auto peer = sim.connect(server);
  sim.advance(1s);
  std::optional<dwell::testing::peer> second;
  switch (reason) {
    case close_reason::finished: peer.send("c\n"); break;
    case close_reason::read_timeout: peer.send("c"); break;
    case close_reason::handle_timeout: peer.send("h\n"); break;
    case close_reason::write_timeout:
      peer.stop_reading();
      peer.send("w\n");
      break;
    case close_reason::overload: second = sim.connect(server); break;
    case close_reason::drain: server.drain(); break;
    case close_reason::protocol_error: peer.send(pattern(1'001)); break;
    case close_reason::handler_failed: peer.send("t\n"); break;
    default: break;
  }
  EXPECT_TRUE(sim.run_until([&] { return !peer.is_open(); }, 2min));
  sim.advance(1min);
  peer.start_reading();
  sim.advance(1s);
  return {peer.record(), peer.time_wait(), peer.got_end(), peer.got_reset(),
          peer.received().size()};
}

class every_method : public ::testing::TestWithParam<close_method> {};

TEST_P(every_method, for_every_reason_leaves_time_wait_where_it_says) {
  for (const close_reason reason : reasons_of_ours) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const dwell::testing::faults faults{.delay = (seed % 4) * 10ms,
                                          .short_writes = seed % 3 == 0 ? 0.3 : 0};
      SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::string{to_string(reason)});
      const outcome end = end_by(reason, GetParam(), seed, faults);
      EXPECT_EQ(end.record.reason, reason);
      EXPECT_EQ(end.record.planned, GetParam());
      if (end.record.error == 0) {  // or else the kernel lost its patience first
        EXPECT_EQ(end.record.first, first_closer::here);
      }
      EXPECT_EQ(to_string(end.record.time_wait), to_string(end.placed));

      const bool nothing_left_to_flush = reason != close_reason::write_timeout;
      switch (GetParam()) {
        case close_method::graceful:
        case close_method::peer_first:  // not announced, so it becomes graceful
          if (!nothing_left_to_flush) break;
          EXPECT_EQ(end.record.done, close_method::graceful);
          EXPECT_EQ(end.placed, time_wait::here);
          EXPECT_TRUE(end.got_end);
          break;
        case close_method::abort_after_fin:
          if (!nothing_left_to_flush) break;
          EXPECT_EQ(end.record.done, close_method::abort_after_fin);
          // Lingering sees the peer's FIN before it can give up TIME_WAIT.
          EXPECT_EQ(end.placed, end.record.lingered ? time_wait::here : time_wait::nowhere);
          EXPECT_TRUE(end.got_end);
          break;
        case close_method::abort:
          EXPECT_EQ(end.record.done, close_method::abort);
          EXPECT_EQ(end.placed, time_wait::nowhere);
          EXPECT_TRUE(end.got_reset);
          break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(closing, every_method,
                         ::testing::Values(close_method::graceful, close_method::peer_first,
                                           close_method::abort_after_fin, close_method::abort),
                         [](const auto& each) { return std::string{to_string(each.param)}; });

/// Says "bye" and lets the peer close.
dwell::callbacks<> announcing() {
  return {.on_data =
              [](connection& peer, no_session&, dwell::bytes data) {
                peer.send("bye");
                peer.announced_close();
                peer.close(close_reason::finished, close_method::peer_first);
                return data.size();
              },
          .announces_close = true};
}

TEST(peer_first, leaves_time_wait_there_when_announced) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    auto& server = sim.serve({}, announcing());
    auto peer = sim.connect(server);
    peer.close_after(3);
    peer.send("x");
    sim.advance(10s);
    EXPECT_EQ(peer.time_wait(), time_wait::there);
    EXPECT_EQ(peer.record().time_wait, time_wait::there);
    EXPECT_EQ(peer.record().done, close_method::peer_first);
    EXPECT_EQ(peer.record().first, first_closer::peer);
    EXPECT_EQ(peer.received(), "bye");
  });
}

TEST(peer_first, is_bounded_when_the_peer_ignores_it) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.close = 2s}}, announcing());
    auto peer = sim.connect(server);
    peer.send("x");
    sim.advance(1min);
    EXPECT_EQ(peer.closed_after(), 2s);
    EXPECT_EQ(peer.time_wait(), time_wait::nowhere);
    EXPECT_EQ(peer.record().time_wait, time_wait::nowhere);
    EXPECT_TRUE(peer.got_end());
    EXPECT_EQ(peer.received(), "bye");
  });
}

TEST(peers_end, is_a_passive_close) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    auto& server = sim.serve({}, echo);
    auto peer = sim.connect(server);
    peer.send("ping");
    sim.advance(1s);
    peer.close();
    sim.advance(1s);
    EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
    EXPECT_EQ(peer.record().first, first_closer::peer);
    EXPECT_EQ(peer.record().time_wait, time_wait::there);
    EXPECT_EQ(peer.time_wait(), time_wait::there);
    EXPECT_EQ(peer.record().received, 4);
    EXPECT_EQ(peer.record().sent, 4);
    EXPECT_EQ(peer.record().exchanges, 1);
  });
}

TEST(peers_end, of_a_peer_that_resets_or_vanishes_is_told_apart) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.write = 60s}, .socket = {.user_timeout = 10s}}, echo);
    auto resetting = sim.connect(server), vanishing = sim.connect(server);
    sim.advance(1s);
    resetting.reset();
    vanishing.send("ping");
    sim.run_until([&] { return server.counts().received == 4; }, 1s);
    vanishing.vanish();
    sim.advance(1min);
    EXPECT_EQ(resetting.record().reason, close_reason::peer_reset);
    EXPECT_EQ(resetting.record().error, ECONNRESET);
    EXPECT_EQ(vanishing.record().reason, close_reason::peer_vanished);
    for (const auto& peer : {resetting, vanishing}) {
      EXPECT_EQ(peer.record().first, first_closer::peer);
      EXPECT_EQ(peer.record().time_wait, time_wait::nowhere);
    }
  });
}

TEST(half_close, the_whole_answer_follows_the_peers_fin) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 3ms, .short_writes = 0.2}}};
    const std::string body = pattern(700'000);
    auto& server = sim.serve({}, dwell::callbacks<std::string>{
                                     .on_data =
                                         [](connection&, std::string& self, dwell::bytes data) {
                                           self += data.text();
                                           return data.size();
                                         },
                                     .on_peer_closed =
                                         [&](connection& peer, std::string& self) {
                                           peer.send(self);
                                           peer.send(body);
                                           peer.close();
                                         }});
    auto peer = sim.connect(server);
    peer.send("request");
    peer.shutdown_send();
    sim.advance(1min);
    EXPECT_TRUE(peer.received() == "request" + body);
    EXPECT_TRUE(peer.got_end());
    EXPECT_EQ(peer.record().first, first_closer::peer);
    EXPECT_EQ(peer.time_wait(), time_wait::there);
    EXPECT_EQ(peer.record().time_wait, time_wait::there);
  });
}

TEST(half_close, of_ours_leaves_the_peer_sending) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 3ms}}};
    std::string heard;
    auto& server =
        sim.serve({}, dwell::callbacks<>{.on_open =
                                             [](connection& peer, no_session&) {
                                               peer.send("listening");
                                               peer.shutdown_send();
                                               EXPECT_FALSE(peer.send("more"));
                                               return true;
                                             },
                                         .on_data =
                                             [&](connection&, no_session&, dwell::bytes data) {
                                               heard += data.text();
                                               return data.size();
                                             }});
    auto peer = sim.connect(server);
    peer.stay_at_end();
    sim.advance(1s);
    EXPECT_TRUE(peer.got_end());
    EXPECT_TRUE(peer.is_open());
    peer.send("one ");
    sim.advance(1s);
    peer.send("two");
    peer.close();
    sim.advance(1s);
    EXPECT_EQ(heard, "one two");
    EXPECT_EQ(peer.received(), "listening");
    EXPECT_EQ(peer.record().reason, close_reason::finished);
    EXPECT_EQ(peer.record().first, first_closer::here);
    EXPECT_EQ(peer.time_wait(), time_wait::here);
    EXPECT_EQ(peer.record().time_wait, time_wait::here);
    EXPECT_EQ(peer.record().certainty, certainty::observed);
  });
}

TEST(half_close, a_proxy_passes_it_on_and_a_coroutine_sees_it) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto sum_up = [](connection& peer) -> dwell::task<> {
      std::size_t total = 0;
      while (auto data = co_await peer.read()) total += data.size();
      const std::string text = std::to_string(total);
      co_await peer.write(text);
    };
    auto& server = sim.serve({}, sum_up);
    auto peer = sim.connect(server);
    peer.send(pattern(100'000));
    peer.shutdown_send();
    sim.advance(1s);
    EXPECT_EQ(peer.received(), "100000");
    EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
  });
}

TEST(lingering, delivers_all_to_a_peer_that_goes_on_sending) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    const std::string body = pattern(1'000'000);
    for (const close_method method : {close_method::graceful, close_method::abort_after_fin}) {
      auto& server = sim.serve(
          {.close = {.finished = method}, .limits = {.output = 4 << 20}},
          dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes data) {
            peer.send(body);
            peer.close();
            return data.size();
          }});
      auto peer = sim.connect(server);
      peer.send("request");
      sim.run_until([&] { return peer.received().size() > 200'000; }, 1min);
      peer.send("5more");
      sim.advance(1min);
      EXPECT_EQ(peer.received().size(), body.size());
      EXPECT_TRUE(peer.received() == body);
      EXPECT_EQ(peer.record().unread, 5);
      EXPECT_EQ(to_string(peer.record().time_wait), to_string(peer.time_wait()));
    }
  });
}

TEST(lingering, an_early_answer_reaches_a_client_that_still_uploads) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    auto& server = sim.serve(
        {.close = {.finished = close_method::abort_after_fin}},
        dwell::callbacks<>{.on_data = [](connection& peer, no_session&, dwell::bytes data) {
          peer.send("413");
          peer.close(close_reason::protocol_error);
          return data.size();
        }});
    auto peer = sim.connect(server);
    peer.send(pattern(2'000'000));
    sim.advance(1min);
    EXPECT_EQ(peer.received(), "413");
    EXPECT_FALSE(peer.got_reset());
    EXPECT_GT(peer.record().unread, 1'000'000);
  });
}

TEST(abort_after_fin, delivers_a_large_answer_and_leaves_time_wait_nowhere) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    const std::string body = pattern(1'000'000);
    auto& server = sim.serve(
        {.close = {.finished = close_method::abort_after_fin}, .limits = {.output = 4 << 20}},
        dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes data) {
          peer.send(body);
          peer.close();
          return data.size();
        }});
    auto peer = sim.connect(server);
    peer.send("request");
    sim.advance(1min);
    EXPECT_EQ(peer.received().size(), body.size());
    EXPECT_TRUE(peer.got_end());
    EXPECT_EQ(peer.time_wait(), time_wait::nowhere);
    EXPECT_EQ(peer.record().time_wait, time_wait::nowhere);
  });
}

TEST(crossing_fins, are_recorded_as_seen) {
  int both = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    simulation sim{{.seed = seed, .faults = {.delay = 10ms}}};
    auto& server = sim.serve({.deadlines = {.idle = 1s}}, echo);
    auto peer = sim.connect(server);
    sim.advance(1s + 5ms);
    peer.close();  // its FIN is on the way when ours leaves
    sim.advance(10s);
    if (peer.time_wait() == time_wait::both) ++both;
    if (peer.record().certainty == certainty::observed) {
      EXPECT_EQ(peer.record().time_wait, peer.time_wait());
    }
  }
  EXPECT_GT(both, 40);
}

TEST(close, the_first_call_wins_and_sending_is_over) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    int closes = 0;
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_data =
                                   [](connection& peer, no_session&, dwell::bytes data) {
                                     peer.send("last");
                                     peer.close(close_reason::overload, close_method::graceful);
                                     peer.close(close_reason::finished, close_method::abort);
                                     EXPECT_FALSE(peer.is_open());
                                     EXPECT_FALSE(peer.send("more"));
                                     EXPECT_EQ(peer.reason(), close_reason::overload);
                                     return data.size();
                                   },
                               .on_close =
                                   [&](connection& peer, no_session&, const close_record&) {
                                     ++closes;
                                     EXPECT_EQ(peer.native_handle(), -1);
                                     EXPECT_FALSE(peer.send("never"));
                                     peer.close();
                                   }});
    auto peer = sim.connect(server);
    peer.send("x");
    sim.advance(10s);
    EXPECT_EQ(closes, 1);
    EXPECT_EQ(peer.received(), "last");
    EXPECT_EQ(peer.record().reason, close_reason::overload);
  });
}

TEST(close, from_another_connections_callback) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<connection*> open;
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_open =
                                   [&](connection& peer, no_session&) {
                                     open.push_back(&peer);
                                     return true;
                                   },
                               .on_data =
                                   [&](connection&, no_session&, dwell::bytes data) {
                                     for (connection* each : open) {
                                       each->send("all out");
                                       each->close();
                                     }
                                     return data.size();
                                   },
                               .on_close = [&](connection& peer, no_session&,
                                               const close_record&) { std::erase(open, &peer); }});
    std::vector<peer> peers;
    for (int i = 0; i < 200; ++i) peers.push_back(sim.connect(server));
    sim.advance(1s);
    peers[7].send("x");
    peers[9].send("y");
    sim.advance(10s);
    for (auto& each : peers) {
      ASSERT_EQ(each.received(), "all out");
      ASSERT_EQ(each.record().reason, close_reason::finished);
    }
    EXPECT_TRUE(open.empty());
  });
}

TEST(handler_failure, ends_that_connection_only) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto throwing = [](connection& peer) -> dwell::task<> {
      while (auto data = co_await peer.read()) {
        if (data.text() == "throw") throw std::runtime_error{"told to"};
        co_await peer.write(data);
      }
    };
    auto& server = sim.serve({}, throwing);
    auto bad = sim.connect(server), good = sim.connect(server);
    bad.send("throw");
    good.send("ping");
    sim.advance(1s);
    EXPECT_EQ(bad.record().reason, close_reason::handler_failed);
    EXPECT_TRUE(bad.got_reset());
    EXPECT_EQ(good.received(), "ping");
    EXPECT_TRUE(good.is_open());
  });
}

}  // namespace
