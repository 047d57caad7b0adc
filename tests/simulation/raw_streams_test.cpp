// What a raw stream, whose handler says nothing about messages, is promised.
#include "scenario.hpp"

namespace {

using dwell::connection;
using dwell::no_session;

TEST(raw_stream, an_answer_before_returning_is_an_exchange) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, [](connection& peer) -> dwell::task<> {
      const auto data = co_await peer.read();
      co_await peer.write(data);
    });
    auto peer = sim.connect(server);
    peer.send("x");
    sim.advance(1s);
    EXPECT_EQ(peer.record().exchanges, 1U);
    EXPECT_EQ(peer.record().reason, close_reason::finished);
  });
}

TEST(raw_stream, nothing_sent_is_no_exchange) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve(
      {}, [](connection& peer) -> dwell::task<> { static_cast<void>(co_await peer.read()); });
  auto peer = sim.connect(server);
  peer.send("x");
  sim.advance(1s);
  EXPECT_EQ(peer.record().exchanges, 0U);
}

TEST(raw_stream, the_read_deadline_is_that_of_one_message) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server =
        sim.serve({.deadlines = {.read = 10s}},
                  dwell::callbacks<>{.on_data = [](connection&, no_session&, dwell::bytes data) {
                    return data.size() - data.size() % 4;  // messages of four bytes
                  }});
    auto steady = sim.connect(server), slow = sim.connect(server);
    steady.send("123");
    slow.send("1");
    for (int second = 0; second < 60; ++second) {
      sim.advance(1s);
      steady.send("4123");  // ends one message and begins the next
      if (second == 1) slow.send("2");
    }
    EXPECT_TRUE(steady.is_open());
    EXPECT_EQ(slow.closed_after(), 10s);
    EXPECT_EQ(slow.record().reason, close_reason::read_timeout);
  });
}

TEST(raw_stream, who_is_paused_is_at_work_and_nothing_is_delivered) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    int delivered = 0;
    dwell::connection_id id;
    auto& server =
        sim.serve({.deadlines = {.idle = 10s, .handle = 30s}},
                  dwell::callbacks<>{.on_open =
                                         [&](connection& peer, no_session&) {
                                           id = peer.id();
                                           peer.pause();
                                           return true;
                                         },
                                     .on_data =
                                         [&](connection&, no_session&, dwell::bytes data) {
                                           ++delivered;
                                           return data.size();
                                         }});
    auto peer = sim.connect(server);
    sim.advance(5s);
    peer.send("x");
    sim.advance(24s);
    EXPECT_EQ(delivered, 0);
    EXPECT_TRUE(peer.is_open());
    server.post(id, [](connection& c) { c.resume(); });
    sim.advance(1s);
    EXPECT_EQ(delivered, 1);
    server.post(id, [](connection& c) { c.pause(); });
    sim.advance(60s);
    EXPECT_EQ(peer.closed_after(), 60s);
    EXPECT_EQ(peer.record().reason, close_reason::handle_timeout);
  });
}

}  // namespace
