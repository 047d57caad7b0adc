// Exchanges: short mode, limits, what is owed, and reaching connections from elsewhere.
#include <dwell/connection/offload.hpp>

#include "scenario.hpp"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace {

using dwell::connection;
using dwell::no_session;
using dwell::time_wait;

TEST(short_mode, ends_after_one_exchange_and_places_time_wait_with_certainty) {
  for (const bool coroutine : {false, true}) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(seed);
      simulation sim{{.seed = seed, .faults = {.delay = (seed % 3) * 5ms}}};
      const std::string answer = pattern(seed % 2 == 0 ? 100 : 10'000);
      const auto once = [&](connection& peer) -> dwell::task<> {
        while (co_await peer.read()) co_await peer.write(answer);
      };
      const dwell::callbacks<> calls{
          .on_data = [&](connection& peer, no_session&, dwell::bytes data) {
            peer.send(answer);
            return data.size();
          }};
      const dwell::service_options options{.mode = dwell::connection_mode::short_lived};
      auto& server = coroutine ? sim.serve(options, once) : sim.serve(options, calls);
      auto peer = sim.connect(server);
      peer.close_after(
          answer.size());  // closes at the last byte: only a shared segment wins that race
      peer.send("request");
      sim.advance(1s);
      EXPECT_TRUE(peer.received() == answer);
      EXPECT_EQ(peer.record().reason, close_reason::finished);
      EXPECT_EQ(peer.record().exchanges, 1);
      EXPECT_EQ(peer.time_wait(), time_wait::here);
      EXPECT_EQ(peer.record().time_wait, time_wait::here);
    }
  }
}

TEST(exchanges, end_the_connection_at_the_limit) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.limits = {.exchanges = 3}}, echo);
    auto peer = sim.connect(server);
    peer.close_after(12);
    for (int i = 0; i < 5; ++i) {
      peer.send("ping");
      sim.advance(10ms);
    }
    EXPECT_EQ(peer.received(), "pingpingping");
    EXPECT_EQ(peer.record().reason, close_reason::finished);
    EXPECT_EQ(peer.record().exchanges, 3);
    EXPECT_EQ(peer.time_wait(), time_wait::here);
  });
}

struct holding {
  dwell::owed answer;
};

TEST(owed, an_answer_keeps_the_exchange_open_after_the_peers_fin) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(
        {.mode = dwell::connection_mode::short_lived},
        dwell::callbacks<>{.on_data = [](connection& peer, no_session&, dwell::bytes data) {
          peer.after(5s, [owed = peer.owe()](connection& c) { c.send("answer"); });
          return data.size();
        }});
    auto peer = sim.connect(server);
    peer.send("request");
    peer.shutdown_send();
    sim.advance(4s);
    EXPECT_TRUE(peer.is_open());
    sim.advance(2s);
    EXPECT_EQ(peer.received(), "answer");
    EXPECT_EQ(peer.closed_after(), 5s);
  });
}

TEST(owed, nothing_is_owed_any_more_when_it_goes_without_an_answer) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<dwell::owed> answers;
    auto& server = sim.serve(
        {.deadlines = {.idle = 10s, .handle = 1h}},
        dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes data) {
          answers.push_back(peer.owe());
          return data.size();
        }});
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(1min);
    EXPECT_TRUE(peer.is_open());
    answers.clear();
    sim.advance(1min);
    EXPECT_EQ(peer.closed_after(), 70s);
    EXPECT_EQ(peer.record().reason, close_reason::idle_timeout);
  });
}

TEST(owed, outlives_its_connection_and_its_server) {
  std::vector<dwell::owed> answers;
  {
    simulation sim;
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes data) {
          answers.push_back(peer.owe());
          return data.size();
        }});
    auto resetting = sim.connect(server), staying = sim.connect(server);
    resetting.send("?");
    staying.send("?");
    sim.advance(1s);
    resetting.reset();
    sim.advance(1s);
    EXPECT_EQ(answers.size(), 2);
  }
  answers.clear();
}

TEST(post, reaches_the_connection_it_names_and_no_other) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::map<dwell::connection_id, std::string> names;
    auto& server = sim.serve(
        {}, dwell::callbacks<>{.on_data = [&](connection& peer, no_session&, dwell::bytes data) {
          names[peer.id()] = data.text();
          return data.size();
        }});
    std::vector<peer> peers;
    for (int i = 0; i < 20; ++i) {
      peers.push_back(sim.connect(server));
      peers.back().send(std::to_string(i));
    }
    sim.advance(1s);
    for (int i = 0; i < 10; ++i) peers[static_cast<std::size_t>(i)].reset();
    sim.advance(1s);
    for (int i = 0; i < 20; ++i) sim.connect(server);  // take the slots of those that left
    sim.advance(1s);
    int ran = 0;
    for (const auto& [id, name] : names) {
      server.post(id, [&, id = id, name = name](connection& c) {
        ++ran;
        EXPECT_EQ(c.id(), id);
        c.send(name);
      });
    }
    sim.advance(1s);
    EXPECT_EQ(ran, 10);
    for (int i = 10; i < 20; ++i) {
      EXPECT_EQ(peers[static_cast<std::size_t>(i)].received(), std::to_string(i));
    }
  });
}

TEST(post, is_refused_when_the_mailbox_is_full_and_destroyed_unrun_when_too_late) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    dwell::connection_id id;
    auto& server = sim.serve({},
                             dwell::callbacks<>{.on_open =
                                                    [&](connection& peer, no_session&) {
                                                      id = peer.id();
                                                      return true;
                                                    }},
                             {.mailbox = 10});
    auto peer = sim.connect(server);
    sim.advance(1s);
    const auto alive = std::make_shared<int>();
    int ran = 0;
    int taken = 0;
    for (int i = 0; i < 20; ++i) {
      if (server.post(id, [&, alive](connection&) { ++ran; })) ++taken;
    }
    EXPECT_EQ(taken, 10);
    sim.advance(1s);
    EXPECT_EQ(ran, 10);
    EXPECT_EQ(alive.use_count(), 1);

    peer.reset();
    sim.advance(1s);
    EXPECT_TRUE(server.post(id, [&, alive](connection&) { ++ran; }));
    sim.advance(1s);
    EXPECT_EQ(ran, 10);
    EXPECT_EQ(alive.use_count(), 1);
  });
}

TEST(each, shows_every_open_connection_once) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echoing());
    std::vector<peer> peers;
    for (int i = 0; i < 3'000; ++i) peers.push_back(sim.connect(server));
    sim.advance(1s);
    for (std::size_t i = 0; i < 3'000; i += 3) peers[i].reset();
    sim.advance(1s);
    std::set<dwell::connection_id> shown;
    bool done = false;
    server.each([&](connection& c) { EXPECT_TRUE(shown.insert(c.id()).second); },
                [&] { done = true; });
    sim.advance(1s);
    EXPECT_TRUE(done);
    EXPECT_EQ(shown.size(), 2'000);
  });
}

TEST(each, may_close_what_it_sees) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echoing());
    for (int i = 0; i < 500; ++i) sim.connect(server);
    sim.advance(1s);
    server.each([](connection& c) { c.close(); });
    sim.advance(1s);
    EXPECT_EQ(server.counts().live, 0);
    EXPECT_EQ(server.counts().closed[static_cast<std::size_t>(close_reason::finished)], 500);
  });
}

TEST(input, of_two_coroutines_that_sleep_between_reading_and_using_is_their_own) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto late_echo = [](connection& peer) -> dwell::task<> {
      while (auto data = co_await peer.read()) {
        co_await dwell::sleep_for(10ms);
        co_await peer.write(data);
      }
    };
    auto& server = sim.serve({}, late_echo);
    auto a = sim.connect(server), b = sim.connect(server);
    for (const std::size_t size : {std::size_t{10}, std::size_t{5'000}, std::size_t{60'000}}) {
      const std::string as(size, 'a');
      const std::string bs(size, 'b');
      a.send(as);
      b.send(bs);
      sim.advance(1s);
      EXPECT_TRUE(a.take_received() == as);
      EXPECT_TRUE(b.take_received() == bs);
    }
  });
}

TEST(services, of_one_server_are_told_apart) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    const auto greeting = [](std::string word) {
      return dwell::callbacks<>{.on_open = [word](connection& peer, no_session&) {
        peer.send(word);
        return true;
      }};
    };
    auto& server = sim.serve({.deadlines = {.idle = 10s}}, greeting("one"));
    const dwell::endpoint where = sim.serve(server, {.deadlines = {.idle = 20s}}, greeting("two"));
    auto one = sim.connect(server), two = sim.connect(where);
    auto nobody = sim.connect(dwell::endpoint{.port = 9});
    sim.advance(1min);
    EXPECT_EQ(one.received(), "one");
    EXPECT_EQ(two.received(), "two");
    EXPECT_EQ(one.closed_after(), 10s);
    EXPECT_EQ(two.closed_after(), 20s);
    EXPECT_TRUE(nobody.got_reset());
    EXPECT_FALSE(nobody.is_open());
  });
}

}  // namespace
