// What docs/overload.md shows, run.
#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>

#include <cstdint>

using namespace std::chrono_literals;

namespace {

std::size_t echo(dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
  peer.send(data);
  return data.size();
}

TEST(overload_page, its_options_are_ones) {
  // snippet: options
  dwell::server server{
      {.connections = 50'000,
       .full = dwell::when_full::evict_idle,
       .pressure = {.memory = std::uint64_t{2} << 30,  // 2 GiB of buffers, sessions and frames
                    .patience = 2s,
                    .reap_rate = 5'000}}};
  // end snippet
  EXPECT_EQ(server.pressure().level, dwell::pressure_level::normal);
}

TEST(overload_page, its_refusal_is_heard) {
  // snippet: refusal
  const dwell::callbacks<> handlers{.on_data = echo, .refusal = "-BUSY try again later\r\n"};
  // end snippet
  dwell::testing::simulation sim;
  auto& server = sim.serve({}, handlers, {.connections = 1, .full = dwell::when_full::refuse});
  auto first = sim.connect(server);
  sim.advance(1ms);
  auto second = sim.connect(server);
  sim.advance(1ms);
  EXPECT_EQ(second.received(), "-BUSY try again later\r\n");
  EXPECT_TRUE(first.is_open());
}

}  // namespace
