// What one address may take. Simulated clients that come directly have one address; the others come
// by a proxy, which says who they are.
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using dwell::connection;
using dwell::per_address_limits;
using dwell::server_options;

dwell::service_options behind_proxy() {
  return {.proxy_protocol = dwell::proxy_protocol_options{.from = {"10.0.0.0/8"}}};
}

std::string header(const std::string& client, int port = 1) {
  const bool v6 = client.find(':') != std::string::npos;
  return std::string{"PROXY TCP"} + (v6 ? "6 " : "4 ") + client + (v6 ? " ::1 " : " 192.0.2.1 ") +
         std::to_string(port) + " 443\r\n";
}

std::size_t open_of(const std::vector<peer>& clients) {
  const auto open = std::ranges::count_if(clients, [](const peer& each) { return each.is_open(); });
  return static_cast<std::size_t>(open);
}

TEST(per_address, bounds_what_is_open) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echo, {.per_address = {.connections = 5}});
    std::vector<peer> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(sim.connect(server));
    sim.advance(1s);
    EXPECT_EQ(open_of(clients), 5);
    EXPECT_EQ(server.counts().opened, 5);
    EXPECT_EQ(server.counts().refused, 7);
    EXPECT_EQ(server.counts().over_address_limit, 7);
    int closed = 0;
    for (peer& each : clients) {
      if (!each.is_open()) {
        EXPECT_TRUE(each.got_reset());
      } else if (closed < 2) {
        each.close();
        ++closed;
      }
    }
    sim.advance(1s);
    for (int i = 0; i < 4; ++i) clients.push_back(sim.connect(server));
    sim.advance(1s);
    EXPECT_EQ(open_of(clients), 5);
    EXPECT_EQ(server.counts().opened, 7);
    EXPECT_EQ(server.counts().over_address_limit, 9);
  });
}

/// Every way to end gives the place back.
TEST(per_address, whatever_ends_it_gives_its_place_back) {
  simulation sim{{.seed = 1}};
  const auto handler = [](connection& peer) -> dwell::task<> {
    while (auto data = co_await peer.read()) {
      if (data.text() == "throw") throw std::runtime_error{"told to"};
      if (data.text() == "return") co_return;
      if (data.text() == "abort") co_return peer.close(close_reason::finished, close_method::abort);
      co_await peer.write(data);
    }
  };
  auto& server = sim.serve({.deadlines = {.idle = 2s, .read = 1s, .close = 1s}}, handler,
                           {.per_address = {.connections = 1}});
  for (const char* how : {"throw", "return", "abort", "idle", "reset", "fin", "vanish"}) {
    SCOPED_TRACE(how);
    auto client = sim.connect(server);
    sim.advance(100ms);
    ASSERT_TRUE(client.is_open());
    auto second = sim.connect(server);
    sim.advance(100ms);
    ASSERT_TRUE(second.got_reset());
    if (how == std::string{"reset"}) {
      client.reset();
    } else if (how == std::string{"fin"}) {
      client.close();
    } else if (how == std::string{"vanish"}) {
      client.vanish();
    } else if (how != std::string{"idle"}) {
      client.send(dwell::bytes{how});
    }
    sim.advance(10s);
    ASSERT_FALSE(client.is_open());
  }
  EXPECT_EQ(server.counts().over_address_limit, 7);
}

TEST(per_address, is_of_all_services_together) {
  simulation sim{{.seed = 2}};
  auto& server = sim.serve({}, echo, {.per_address = {.connections = 2}});
  const auto other = sim.serve(server, {.name = "other"}, echo);
  auto first = sim.connect(server), second = sim.connect(other);
  sim.advance(1s);
  auto third = sim.connect(other);
  sim.advance(1s);
  EXPECT_TRUE(first.is_open() && second.is_open());
  EXPECT_TRUE(third.got_reset());
  EXPECT_EQ(server.services()[0].counts.over_address_limit, 0);
  EXPECT_EQ(server.services()[1].counts.over_address_limit, 1);
}

TEST(per_address, bounds_how_many_come_in_a_second) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, echo, {.per_address = {.accepts_per_second = 4}});
    const auto opened = [&] { return server.counts().opened; };
    std::vector<peer> clients;
    const auto knock = [&](int times) {
      for (int i = 0; i < times; ++i) clients.push_back(sim.connect(server));
      sim.advance(10ms);
    };
    sim.advance(5s);
    knock(10);
    EXPECT_EQ(opened(), 4);
    sim.advance(490ms);
    knock(10);
    EXPECT_EQ(opened(), 6) << "half a second later";
    sim.advance(20s);
    knock(10);
    EXPECT_EQ(opened(), 10);
    EXPECT_EQ(server.counts().over_address_limit, 20);
  });
}

/// Who is refused for its address takes no place, and nobody leaves for it.
TEST(per_address, evicts_nobody) {
  simulation sim{{.seed = 3}};
  auto& server =
      sim.serve(behind_proxy(), echo, {.connections = 2, .per_address = {.connections = 1}});
  const auto direct = sim.serve(server, {.name = "direct"}, echo);
  auto first = sim.connect(direct);
  auto other = sim.connect(server);
  other.send(header("203.0.113.7"));
  sim.advance(1s);
  for (int i = 0; i < 5; ++i) {
    auto again = sim.connect(direct);
    sim.advance(100ms);
    EXPECT_TRUE(again.got_reset());
  }
  EXPECT_TRUE(first.is_open() && other.is_open());
  EXPECT_EQ(server.counts().evicted, 0);
}

/// A connection that finds no place has taken none of its address's either.
TEST(per_address, who_finds_no_place_does_not_count) {
  simulation sim{{.seed = 4}};
  auto& server = sim.serve(
      {}, echo,
      {.connections = 1, .full = dwell::when_full::refuse, .per_address = {.connections = 2}});
  auto first = sim.connect(server);
  sim.advance(100ms);
  for (int i = 0; i < 5; ++i) {
    auto refused = sim.connect(server);
    sim.advance(100ms);
    EXPECT_TRUE(refused.got_reset());
  }
  first.close();
  sim.advance(1s);
  auto next = sim.connect(server);
  sim.advance(1s);
  EXPECT_TRUE(next.is_open());
  EXPECT_EQ(server.counts().over_address_limit, 0);
  EXPECT_EQ(server.counts().refused, 5);
}

TEST(per_address, behind_a_proxy_the_client_counts) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.jitter = 2ms}}};
    auto& server = sim.serve(behind_proxy(), echo, {.per_address = {.connections = 2}});
    std::map<std::string, std::vector<peer>> clients;
    const std::vector<std::string> who{"203.0.113.1", "203.0.113.2", "2001:db8::1",
                                       "2001:db8:0:1::1"};
    for (const std::string& each : who) {
      for (int i = 0; i < 5; ++i) {
        clients[each].push_back(sim.connect(server));
        clients[each].back().send(header(each, i) + "x");
      }
    }
    sim.advance(1s);
    for (const std::string& each : who) EXPECT_EQ(open_of(clients[each]), 2) << each;
    EXPECT_EQ(server.counts().over_address_limit, 12);
    EXPECT_EQ(server.counts().refused, 0);
    EXPECT_EQ(server.counts().closed[static_cast<std::size_t>(close_reason::overload)], 12);
    for (peer& each : clients[who[0]]) {
      if (each.is_open()) {
        EXPECT_EQ(each.received(), "x");
        each.close();
      } else {
        EXPECT_TRUE(each.got_reset());
        EXPECT_EQ(each.record().done, close_method::abort);
      }
    }
    sim.advance(1s);
    auto same_network = sim.connect(server);  // full: it is of 2001:db8::/64 too
    same_network.send(header("2001:db8::ffff:1"));
    auto again = sim.connect(server);
    again.send(header(who[0]));
    auto mapped = sim.connect(server);
    mapped.send(header("::ffff:203.0.113.1"));
    auto mapped_too = sim.connect(server);
    sim.advance(1s);
    mapped_too.send(header("::ffff:203.0.113.1"));
    sim.advance(1s);
    EXPECT_FALSE(same_network.is_open());
    EXPECT_TRUE(again.is_open());
    EXPECT_TRUE(mapped.is_open());
    EXPECT_FALSE(mapped_too.is_open());
  });
}

/// The proxy has one address and many connections: health checks, and those whose header is on its
/// way.
TEST(per_address, the_proxy_itself_is_not_limited) {
  simulation sim{{.seed = 5}};
  auto& server =
      sim.serve(behind_proxy(), echo, {.per_address = {.connections = 1, .accepts_per_second = 1}});
  std::vector<peer> checks;
  for (int i = 0; i < 20; ++i) {
    checks.push_back(sim.connect(server));
    if (i % 2 == 0) checks.back().send("PROXY UNKNOWN\r\n");
  }
  sim.advance(1s);
  EXPECT_EQ(open_of(checks), 20);
  EXPECT_EQ(server.counts().over_address_limit, 0);
}

/// Opens and closes of many clients in any order: never more than the limit, and always as many as
/// it allows.
TEST(per_address, holds_whatever_happens) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.jitter = 3ms, .resets = 0.01}}};
    constexpr std::size_t most = 3;
    auto& server = sim.serve(behind_proxy(), echo, {.per_address = {.connections = most}});
    std::mt19937_64 random{seed};
    std::map<unsigned, std::vector<peer>> clients;
    for (int step = 0; step < 300; ++step) {
      const unsigned who = static_cast<unsigned>(random() % 8);
      std::vector<peer>& all = clients[who];
      if (random() % 3 == 0 && !all.empty()) {
        peer& one = all[random() % all.size()];
        switch (random() % 3) {
          case 0: one.close(); break;
          case 1: one.reset(); break;
          default: one.shutdown_send(); break;
        }
      } else {
        all.push_back(sim.connect(server));
        all.back().send(header("203.0.113." + std::to_string(who)) + "hello");
      }
      sim.advance(20ms);
      for (const auto& [each, theirs] : clients) ASSERT_LE(open_of(theirs), most) << each;
    }
    sim.set_faults({});
    sim.advance(5min);
    ASSERT_EQ(server.counts().live, 0);
    for (unsigned who = 0; who < 8; ++who) {
      std::vector<peer> fresh;
      for (std::size_t i = 0; i <= most; ++i) {
        fresh.push_back(sim.connect(server));
        fresh.back().send(header("203.0.113." + std::to_string(who)));
      }
      sim.advance(1s);
      EXPECT_EQ(open_of(fresh), most);
    }
  });
}

TEST(per_address, options_are_checked) {
  const auto refusal = [](per_address_limits limits) -> std::string {
    simulation sim;
    try {
      sim.serve({}, echo, {.per_address = limits});
    } catch (const std::invalid_argument& refused) {
      return refused.what();
    }
    return {};
  };
  EXPECT_THAT(refusal({.connections = 0}), ::testing::HasSubstr("per_address.connections"));
  EXPECT_THAT(refusal({.accepts_per_second = 0}), ::testing::HasSubstr("accepts_per_second"));
  EXPECT_THAT(refusal({.accepts_per_second = 1'000'001}), ::testing::HasSubstr("1000001"));
  EXPECT_THAT(refusal({.ipv4_prefix = 33}), ::testing::HasSubstr("ipv4_prefix"));
  EXPECT_THAT(refusal({.ipv6_prefix = 0}), ::testing::HasSubstr("ipv6_prefix"));
  EXPECT_EQ(refusal({.connections = 1, .accepts_per_second = 1'000'000}), "");
}

}  // namespace
