// server::set_connections() while the server runs.

#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

raw_client talker(const running_server& server) {
  raw_client made = server.connect();
  made.send("hello");
  EXPECT_EQ(made.receive(5), "hello");
  return made;
}

bool is_served(raw_client& client) {
  client.send("still");
  return client.receive(5) == "still";
}

TEST(set_connections, cuts_nobody_off_and_refuses_who_comes) {
  running_server server{{}, echo, {.full = when_full::refuse}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(talker(server));
  EXPECT_EQ(server->set_connections(3), 3);
  EXPECT_EQ(server->capacity(), 3);
  for (raw_client& each : clients) EXPECT_TRUE(is_served(each));
  EXPECT_EQ(server.connect().receive_to_end().error, ECONNRESET);
  // Four are still too many.
  clients.pop_back();
  ASSERT_TRUE(server.wait_for_live(4));
  EXPECT_EQ(server.connect().receive_to_end().error, ECONNRESET);
  clients.clear();
  ASSERT_TRUE(server.wait_for_live(0));
  for (int i = 0; i < 3; ++i) clients.push_back(talker(server));
  EXPECT_EQ(server->counts().refused, 2);
}

TEST(set_connections, lets_in_who_waits) {
  for (const int threads : {1, 3}) {
    running_server server{
        {}, echo, {.threads = threads, .connections = 2, .full = when_full::pause_accept}};
    std::vector<raw_client> clients;
    for (int i = 0; i < 2; ++i) clients.push_back(talker(server));
    raw_client waits = server.connect();
    waits.send("hello");
    EXPECT_TRUE(waits.hears_nothing_for(50ms));
    server->set_connections(3);
    EXPECT_EQ(waits.receive(5), "hello");
    server->set_connections(1);
    raw_client waits_longer = server.connect();
    waits_longer.send("hello");
    clients.pop_back();
    ASSERT_TRUE(server.wait_for_live(2));
    EXPECT_TRUE(waits_longer.hears_nothing_for(50ms)) << "two are open, and one may be";
    clients.pop_back();
    waits.close();
    EXPECT_EQ(waits_longer.receive(5), "hello");
  }
}

TEST(set_connections, evicts_one_for_one) {
  running_server server{{}, echo, {.connections = 5}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(talker(server));
  server->set_connections(2);
  raw_client fresh = talker(server);
  EXPECT_EQ(server.records().only().reason, close_reason::overload);
  EXPECT_EQ(server->counts().live, 5);
  EXPECT_EQ(server->counts().evicted, 1);
}

TEST(set_connections, refuses_none_and_is_cut_to_descriptors) {
  running_server server{{}, echo, {.connections = 5}};
  EXPECT_THROW(server->set_connections(0), std::invalid_argument);
  EXPECT_EQ(server->capacity(), 5);
  const std::uint64_t possible = server->set_connections(unlimited);
  EXPECT_LT(possible, unlimited);
  EXPECT_EQ(server->set_connections(unlimited - 1), possible);
}

/// Up and down while clients come and go: nobody is left waiting for a place that there is.
TEST(set_connections, loses_nobody_who_waits) {
  running_server server{
      {}, echo, {.threads = 2, .connections = 4, .full = when_full::pause_accept}};
  std::atomic<bool> over{false};
  std::thread changes{[&] {
    for (std::uint64_t i = 0; !over; ++i) server->set_connections(1 + i % 4);
  }};
  std::vector<std::thread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&] {
      for (int round = 0; round < 20; ++round) talker(server).close();
    });
  }
  for (std::thread& each : clients) each.join();
  over = true;
  changes.join();
  EXPECT_EQ(server->counts().opened, 120);
}

}  // namespace
}  // namespace dwell
