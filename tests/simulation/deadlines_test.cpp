#include <dwell/dwell.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;

dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

TEST(idle_reaping, closes_the_quiet_and_keeps_the_busy) {
  dwell::testing::simulation sim{{.seed = 42}};
  auto& server = sim.serve({.deadlines = {.idle = 60s}}, echo);
  auto busy = sim.connect(server), quiet = sim.connect(server);

  for (int i = 0; i < 12; ++i) {
    busy.send("ping");
    sim.advance(10s);
  }

  EXPECT_TRUE(busy.is_open());
  EXPECT_EQ(quiet.closed_after(), 60s);
  EXPECT_EQ(quiet.record().reason, dwell::close_reason::idle_timeout);
}

}  // namespace
