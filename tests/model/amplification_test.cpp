// What a connection can make the server hold: 4 KiB, and 100 times the bytes it sent.
#include <dwell/connection/sleep_for.hpp>

#include "engine/simulated/peer.hpp"
#include "engine/simulated/simulated_engine.hpp"
#include "server/core.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwell {
namespace {

constexpr std::size_t connections = 200;
constexpr std::size_t allowance = 4096;
constexpr std::size_t factor = 100;

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

task<> sleepy(connection& peer) {
  while (auto data = co_await peer.read()) {
    co_await dwell::sleep_for(std::chrono::seconds{5});
    co_await peer.write(data);
  }
}

handler hoarder() {
  return callbacks<>{.on_data = [](connection&, no_session&, bytes) { return std::size_t{0}; }};
}

handler echoing() {
  return callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
    peer.send(data);
    return data.size();
  }};
}

/// A server whose loop's memory can be looked at.
class watched_server {
 public:
  watched_server(std::uint64_t seed, handler what) : net{seed} {
    server_options process;
    process.logger =
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
    auto core = std::make_unique<server_core>(process, [this](block_pool& blocks) {
      pool = &blocks;
      return std::make_unique<simulated_engine>(blocks, net, 0);
    });
    facade = server_core::make_server(std::move(core));
    where = facade->serve({}, std::move(what));
    net.run(1);
    empty = pool->in_use();
  }

  network net;
  block_pool* pool = nullptr;
  std::unique_ptr<server> facade;
  endpoint where;
  std::size_t empty = 0;
};

using handler_maker = std::function<handler()>;

void expect_bounded(const handler_maker& make) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    watched_server under_test{seed, make()};
    network& net = under_test.net;
    if (seed % 3 == 1) net.faults.short_reads = 0.3;
    if (seed % 3 == 2) net.faults.short_writes = 0.5;
    std::vector<simulated_peer> peers;
    std::size_t sent = 0;
    for (std::size_t i = 0; i < connections; ++i) {
      peers.emplace_back(net, net.connect(under_test.where.port));
      if (i % 2 == 0) peers.back().read(false);
    }
    for (int round = 0; round < 60; ++round) {
      for (std::size_t i = 0; i < connections; ++i) {
        const std::size_t size = i % 7 == 0 ? net.random().below(3'000) : net.random().below(3);
        peers[i].send(std::string(size, 'x'));
        sent += size;
      }
      net.run(net.now() + 1 + net.random().below(200));
      const std::size_t held = under_test.pool->in_use() - under_test.empty;
      ASSERT_LE(held, connections * allowance + factor * sent);
    }
    for (auto& each : peers) each.reset();
    net.run(net.now() + 60'000);
    EXPECT_EQ(under_test.facade->counts().live, 0);
    EXPECT_EQ(under_test.pool->in_use(), under_test.empty);  // and all of it is given back
  }
}

TEST(amplification, of_an_echo_in_callbacks) { expect_bounded(echoing); }
TEST(amplification, of_an_echo_in_a_coroutine) {
  expect_bounded([] { return handler{echo}; });
}
TEST(amplification, of_a_coroutine_that_holds_what_it_read) {
  expect_bounded([] { return handler{sleepy}; });
}
TEST(amplification, of_a_handler_that_consumes_nothing) { expect_bounded(hoarder); }

TEST(amplification, an_idle_connection_owns_no_buffer) {
  watched_server under_test{1, echoing()};
  network& net = under_test.net;
  std::vector<simulated_peer> peers;
  for (std::size_t i = 0; i < connections; ++i) {
    peers.emplace_back(net, net.connect(under_test.where.port));
    peers.back().send("ping");
  }
  net.run(1'000);
  EXPECT_EQ(under_test.facade->counts().live, connections);
  EXPECT_EQ(under_test.pool->in_use(), under_test.empty);
}

}  // namespace
}  // namespace dwell
