#pragma once

#include "scenario.hpp"

#include <vector>

/// `count` connections come over ten virtual minutes, some of them say something once, and each has
/// to go in the very millisecond in which it has been quiet for so long.
inline void reap_a_crowd(std::uint64_t seed, std::uint32_t count, dwell::duration idle) {
  constexpr std::uint32_t span = 600'000;  // ms
  simulation sim{{.seed = seed}};
  auto& server = sim.serve({.deadlines = {.idle = idle}}, echoing());

  std::vector<peer> peers;
  peers.reserve(count);
  std::vector<std::uint16_t> spoke(count, 0);                     // ms after it came, 0: never
  std::vector<std::vector<std::uint32_t>> speaks(span + 60'000);  // who, by moment
  std::uint32_t speaker = 0;
  for (std::uint32_t now = 0; now < span; ++now) {
    const auto due = static_cast<std::uint32_t>(std::uint64_t{count} * (now + 1) / span);
    while (peers.size() < due) {
      const auto index = static_cast<std::uint32_t>(peers.size());
      peers.push_back(sim.connect(server));
      if (index % 10 == 3) {
        spoke[index] = static_cast<std::uint16_t>(1 + (speaker += 7'919) % 59'000);
        speaks[now + spoke[index]].push_back(index);
      }
    }
    for (const std::uint32_t index : speaks[now]) peers[index].send("x");
    speaks[now] = {};
    sim.advance(1ms);
  }
  for (std::uint32_t now = span; now < speaks.size(); ++now) {
    for (const std::uint32_t index : speaks[now]) peers[index].send("x");
    sim.advance(1ms);
  }
  sim.advance(idle);

  for (std::uint32_t i = 0; i < count; ++i) {
    ASSERT_EQ(peers[i].closed_after(), idle + dwell::duration{spoke[i]}) << "connection " << i;
    ASSERT_EQ(peers[i].record().reason, close_reason::idle_timeout);
  }
  const auto end = server.counts();
  EXPECT_EQ(end.opened, count);
  EXPECT_EQ(end.live, 0);
  EXPECT_EQ(end.reap_raced, 0);
}
