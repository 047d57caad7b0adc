// Coroutines beside callbacks: what they may wait for, and how long what they use stays.
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;
using dwell::phase;

/// Spawns what `work` makes of each byte.
template <class Work>
dwell::callbacks<> spawning(Work work) {
  return {.on_data = [work](connection& peer, no_session&, dwell::bytes data) {
    for (const char c : data.text()) peer.spawn(work(peer, c));
    return data.size();
  }};
}

dwell::task<> answer_after(connection& peer, dwell::duration pause, char what) {
  co_await dwell::sleep_for(pause);
  peer.send(std::string_view{&what, 1});
}

TEST(spawn, runs_at_once_and_side_by_side) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, spawning([](connection& peer, char c) -> dwell::task<> {
                               if (c == '!') {
                                 peer.send("!");
                                 co_return;
                               }
                               co_await answer_after(peer, dwell::duration{c - '0'} * 100, c);
                             }));
    auto peer = sim.connect(server);
    peer.send("3!12");
    sim.advance(250ms);
    EXPECT_EQ(peer.received(), "!12");
    sim.advance(5s);
    EXPECT_EQ(peer.received(), "!123");
    EXPECT_TRUE(peer.is_open());
  });
}

TEST(spawn, that_never_waits_is_gone_when_it_returns) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve({.deadlines = {.idle = 10s}},
                           spawning([](connection& peer, char c) -> dwell::task<> {
                             peer.send(std::string_view{&c, 1});
                             co_return;
                           }));
  auto peer = sim.connect(server);
  peer.send(pattern(1'000));
  sim.advance(10s);
  EXPECT_EQ(peer.received(), pattern(1'000));
  EXPECT_EQ(peer.closed_after(), 10s);
}

TEST(spawn, owes_an_answer_until_it_has_ended) {
  simulation sim{{.seed = 2}};
  auto& server =
      sim.serve({.deadlines = {.idle = 1s, .handle = 30s}}, spawning([](connection& peer, char c) {
                  return answer_after(peer, c == 'l' ? 1min : 20s, c);
                }));
  auto fine = sim.connect(server), too_long = sim.connect(server);
  fine.send("f");
  too_long.send("l");
  sim.advance(2min);
  EXPECT_EQ(fine.received(), "f");
  EXPECT_EQ(fine.closed_after(), 21s);
  EXPECT_EQ(fine.record().reason, close_reason::idle_timeout);
  EXPECT_EQ(too_long.closed_after(), 30s);
  EXPECT_EQ(too_long.record().reason, close_reason::handle_timeout);
  EXPECT_EQ(too_long.record().phase, phase::handle);
}

TEST(spawn, answers_after_the_peers_fin) {
  simulation sim{{.seed = 3}};
  auto& server =
      sim.serve({}, spawning([](connection& peer, char c) { return answer_after(peer, 1s, c); }));
  auto peer = sim.connect(server);
  peer.send("a");
  peer.shutdown_send();
  sim.advance(5s);
  EXPECT_EQ(peer.received(), "a");
  EXPECT_EQ(peer.closed_after(), 1s);
  EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
}

TEST(spawn, waits_for_room) {
  simulation sim{{.seed = 4}};
  std::size_t written = 0;
  auto& server = sim.serve({}, spawning([&written](connection& peer, char) -> dwell::task<> {
                             const std::string piece = pattern(10'000);
                             for (int i = 0; i < 1'000; ++i) {
                               if (!co_await peer.write(piece)) co_return;
                               written += piece.size();
                             }
                             co_await peer.flush();
                             EXPECT_EQ(peer.queued(), 0U);
                             peer.close();
                           }));
  auto peer = sim.connect(server);
  peer.stop_reading();
  peer.send("x");
  sim.advance(5s);
  EXPECT_LT(written, 8'000'000U);
  EXPECT_TRUE(peer.is_open());
  peer.start_reading();
  sim.advance(20s);
  EXPECT_EQ(peer.received().size(), 10'000'000U);
  EXPECT_EQ(peer.record().reason, close_reason::finished);
}

TEST(spawn, may_fail) {
  simulation sim{{.seed = 5}};
  auto& server = sim.serve({}, spawning([](connection&, char c) -> dwell::task<> {
                             if (c == 's') co_await dwell::sleep_for(1s);
                             throw std::runtime_error{"planned"};
                           }));
  auto at_once = sim.connect(server), later = sim.connect(server);
  at_once.send("a");
  later.send("sss");
  sim.advance(500ms);
  EXPECT_EQ(at_once.record().reason, close_reason::handler_failed);
  sim.advance(1s);
  EXPECT_EQ(later.record().reason, close_reason::handler_failed);
  EXPECT_EQ(server.counts().waiting_for_frames, 0U);
}

/// Lives in a session, and so must its coroutines' use of it.
struct session {
  std::unique_ptr<std::string> text = std::make_unique<std::string>("here");
  bool closed = false;
};

TEST(spawn, hears_of_the_end_and_keeps_connection_and_session_until_it_has_ended) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::string> heard;
    const auto linger = [&heard](connection& peer, session& self) -> dwell::task<> {
      const bool slept = co_await dwell::sleep_for(1h);
      EXPECT_TRUE(self.closed);
      heard.push_back((slept ? "slept " : "woken ") + *self.text);
      EXPECT_FALSE(co_await peer.write("lost"));
      co_await dwell::sleep_for(10s);
      heard.push_back("ended " + *self.text);
    };
    auto& server =
        sim.serve({}, dwell::callbacks<session>{
                          .on_data =
                              [linger](connection& peer, session& self, dwell::bytes data) {
                                peer.spawn(linger(peer, self));
                                return data.size();
                              },
                          .on_close = [](connection&, session& self,
                                         const dwell::close_record&) { self.closed = true; }});
    auto peer = sim.connect(server);
    peer.send("a");
    sim.advance(1s);
    peer.send("b");
    sim.advance(1s);
    peer.reset();
    sim.advance(1s);
    EXPECT_FALSE(peer.is_open());
    EXPECT_THAT(heard, testing::ElementsAre("woken here", "woken here"));
    EXPECT_EQ(server.counts().waiting_for_frames, 1U);
    sim.advance(20s);
    EXPECT_EQ(heard.size(), 4U);
    EXPECT_EQ(heard.back(), "ended here");
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(spawn, may_end_its_connection) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    int ended = 0;
    auto& server = sim.serve({.close = {.finished = close_method::abort}},
                             spawning([&ended](connection& peer, char c) -> dwell::task<> {
                               if (c != 'n') co_await dwell::sleep_for(1s);
                               peer.close();
                               if (c == 'w') co_await dwell::sleep_for(1s);
                               ++ended;
                             }));
    for (const char* what : {"n", "s", "w", "nsw", "wsn", "www"}) {
      auto peer = sim.connect(server);
      peer.send(what);
      sim.advance(5s);
      EXPECT_FALSE(peer.is_open()) << what;
    }
    EXPECT_EQ(ended, 12);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(spawn, may_spawn) {
  simulation sim{{.seed = 6}};
  auto& server = sim.serve({}, spawning([](connection& peer, char c) -> dwell::task<> {
                             co_await dwell::sleep_for(1s);
                             peer.spawn(answer_after(peer, 1s, c));
                             peer.after(500ms, [](connection& late) { late.send("."); });
                           }));
  auto peer = sim.connect(server);
  peer.send("ab");
  sim.advance(5s);
  EXPECT_EQ(peer.received(), "..ab");
}

TEST(spawn, is_destroyed_with_its_server) {
  auto sim = std::make_unique<simulation>();
  const auto witness = std::make_shared<int>();
  const auto hold = [](connection& peer, std::shared_ptr<int> held) -> dwell::task<> {
    co_await dwell::sleep_for(1h);
    EXPECT_EQ(*held, 0);
    peer.send("never");
  };
  auto& server =
      sim->serve({.deadlines = {.handle = dwell::off}},
                 spawning([witness, hold](connection& peer, char) { return hold(peer, witness); }));
  auto open = sim->connect(server), gone = sim->connect(server);
  open.send("xx");
  gone.send("x");
  sim->advance(1s);
  gone.reset();
  EXPECT_GT(witness.use_count(), 2);
  sim.reset();
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(kept_input, of_whole_messages_that_wait_their_turn_is_not_too_much) {
  simulation sim{{.seed = 7}};
  struct turns {
    bool busy = false;
  };
  auto& server = sim.serve(
      {.limits = {.message = 10}},
      dwell::callbacks<turns>{.on_data = [](connection& peer, turns& self, dwell::bytes data) {
        if (self.busy) return std::size_t{0};
        self.busy = true;
        peer.pause();
        peer.after(10ms, [&self](connection& later) {
          self.busy = false;
          later.send(".");
          later.resume();
        });
        return std::min<std::size_t>(data.size(), 5);
      }});
  auto peer = sim.connect(server);
  peer.send(pattern(100));
  sim.advance(1s);
  EXPECT_TRUE(peer.is_open());
  EXPECT_EQ(peer.received(), std::string(20, '.'));
}

}  // namespace
