// What one address may take, on real sockets: over loops on threads of their own, from 127.0.0.x.
#include <dwell/dwell.hpp>

#include "support/eventually.hpp"
#include "support/raw_client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using dwell::raw_client;
using namespace std::chrono_literals;

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// Whether it is let in; a refusal may already show in connect() or send().
bool is_served(raw_client& client) {
  try {
    client.send("x");
    return client.receive_some() == "x";
  } catch (const std::system_error&) {
    return false;
  }
}

std::unique_ptr<raw_client> connect(const dwell::endpoint& to, const std::string& from) {
  try {
    return std::make_unique<raw_client>(to, dwell::raw_client_options{.from = from});
  } catch (const std::system_error&) {
    return nullptr;
  }
}

class started_server {
 public:
  explicit started_server(dwell::server_options options, bool reuse_port = true)
      : server{std::move(options)},
        where{server.serve(
            {.listen = {.address = "127.0.0.1"}, .socket = {.reuse_port = reuse_port}}, echo)} {
    server.start();
  }
  ~started_server() {
    server.stop();
    server.wait();
  }
  dwell::server server;
  dwell::endpoint where;
};

TEST(per_address, holds_over_all_loops) {
  for (const bool reuse_port : {true, false}) {
    started_server of{{.threads = 3, .per_address = {.connections = 4}}, reuse_port};
    std::map<std::string, std::vector<std::unique_ptr<raw_client>>> open;
    std::uint64_t refused = 0;
    for (int round = 0; round < 10; ++round) {
      for (const std::string from : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) {
        auto client = connect(of.where, from);
        if (client != nullptr && is_served(*client)) {
          open[from].push_back(std::move(client));
        } else {
          ++refused;
        }
      }
    }
    for (const auto& [from, clients] : open) EXPECT_EQ(clients.size(), 4) << from;
    EXPECT_EQ(refused, 18);
    EXPECT_EQ(of.server.counts().over_address_limit, 18);
    EXPECT_EQ(of.server.counts().refused, 18);

    open["127.0.0.2"].resize(2);
    ASSERT_TRUE(dwell::eventually([&] { return of.server.counts().live == 10; }));
    for (int i = 0; i < 4; ++i) {
      auto client = connect(of.where, "127.0.0.2");
      if (client != nullptr && is_served(*client)) open["127.0.0.2"].push_back(std::move(client));
    }
    EXPECT_EQ(open["127.0.0.2"].size(), 4);
  }
}

/// Clients on several threads come and go; when all have gone, as many may come as ever.
TEST(per_address, loses_no_place_under_load) {
  constexpr std::size_t most = 8;
  started_server of{{.threads = 3, .per_address = {.connections = most}}};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&of, thread] {
      for (int i = 0; i < 150; ++i) {
        auto client = connect(of.where, "127.0.0." + std::to_string(1 + (thread + i) % 2));
        if (client == nullptr) continue;
        if (i % 3 == 0) is_served(*client);
        if (i % 5 == 0) client->reset();
      }
    });
  }
  for (std::thread& each : threads) each.join();
  ASSERT_TRUE(dwell::eventually([&] { return of.server.counts().live == 0; }));
  for (const std::string from : {"127.0.0.1", "127.0.0.2"}) {
    std::vector<std::unique_ptr<raw_client>> open;
    for (std::size_t i = 0; i < most + 3; ++i) {
      auto client = connect(of.where, from);
      if (client != nullptr && is_served(*client)) open.push_back(std::move(client));
    }
    EXPECT_EQ(open.size(), most);
  }
}

TEST(per_address, bounds_a_burst) {
  started_server of{{.threads = 2, .per_address = {.accepts_per_second = 5}}};
  const auto begin = std::chrono::steady_clock::now();
  std::size_t served = 0;
  for (int i = 0; i < 60; ++i) {
    auto client = connect(of.where, "127.0.0.9");
    if (client != nullptr && is_served(*client)) ++served;
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(served, 5);
  EXPECT_LE(static_cast<double>(served), 5 + passed.count() * 5 + 1);
  EXPECT_EQ(served + of.server.counts().over_address_limit, 60);
  auto other = connect(of.where, "127.0.0.10");
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(is_served(*other));
}

}  // namespace
