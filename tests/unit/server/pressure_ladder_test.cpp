#include "server/pressure_ladder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using dwell::gate;
using dwell::pressure_cause;
using dwell::pressure_ladder;
using dwell::pressure_level;
using dwell::when_full;

void take(pressure_ladder& ladder, int count) {
  for (int i = 0; i < count; ++i) EXPECT_TRUE(ladder.take());
}

void tick(pressure_ladder& ladder, int count = 1) {
  for (int i = 0; i < count; ++i) ladder.tick();
}

TEST(pressure_ladder, goes_up_at_once_and_down_with_the_tick_once_it_is_clearly_less) {
  pressure_ladder ladder{{}, when_full::evict_idle, 100};
  take(ladder, 79);
  EXPECT_FALSE(ladder.is_steep());
  EXPECT_FALSE(ladder.reconsider());
  take(ladder, 1);
  EXPECT_TRUE(ladder.is_steep());
  const auto up = ladder.reconsider();
  ASSERT_TRUE(up);
  EXPECT_EQ(up->to, pressure_level::shrink_idle);
  for (int i = 0; i < 5; ++i) ladder.give();
  EXPECT_FALSE(ladder.tick()) << "75 %: neither up nor down";
  EXPECT_TRUE(ladder.shrinks_idle());
  ladder.give();
  EXPECT_FALSE(ladder.shrinks_idle()) << "at once, so that no more are closed than it takes";
  EXPECT_FALSE(ladder.reconsider());
  EXPECT_EQ(ladder.level(), pressure_level::shrink_idle);
  ASSERT_TRUE(ladder.tick());
  EXPECT_EQ(ladder.level(), pressure_level::normal);
}

TEST(pressure_ladder, counts_what_has_been_reached) {
  pressure_ladder ladder{{}, when_full::evict_idle, 10};
  for (int i = 0; i < 3; ++i) {
    take(ladder, 10);
    ladder.reconsider();
    ladder.evicted();
    ladder.reconsider();
    for (int k = 0; k < 10; ++k) ladder.give();
    tick(ladder, 20);
  }
  const auto status = ladder.status();
  EXPECT_EQ(status.level, pressure_level::normal);
  EXPECT_EQ(status.reached[static_cast<std::size_t>(pressure_level::shrink_idle)], 3U);
  EXPECT_EQ(status.reached[static_cast<std::size_t>(pressure_level::evict_idle)], 3U);
  EXPECT_EQ(status.reached[static_cast<std::size_t>(pressure_level::pause_accept)], 0U);
}

TEST(pressure_ladder, of_memory_closes_the_gate_and_opens_it_again) {
  pressure_ladder ladder{{.memory = 100 << 20}, when_full::evict_idle, 1'000};
  constexpr std::int64_t mebibyte = 1 << 20;
  EXPECT_FALSE(ladder.add_memory(79 * mebibyte));
  EXPECT_TRUE(ladder.add_memory(1 * mebibyte));
  ladder.reconsider();
  EXPECT_EQ(ladder.level(), pressure_level::shrink_idle);
  EXPECT_FALSE(ladder.evicts());
  ladder.add_memory(15 * mebibyte);
  ladder.reconsider();
  EXPECT_EQ(ladder.level(), pressure_level::evict_idle);
  EXPECT_TRUE(ladder.evicts());
  EXPECT_EQ(ladder.accepting(), gate::open);
  ladder.add_memory(5 * mebibyte);
  ladder.reconsider();
  EXPECT_EQ(ladder.level(), pressure_level::pause_accept);
  EXPECT_EQ(ladder.accepting(), gate::closed);
  ladder.add_memory(-4 * mebibyte);
  tick(ladder);
  EXPECT_EQ(ladder.accepting(), gate::closed) << "96 %: not yet";
  ladder.add_memory(-2 * mebibyte);
  tick(ladder);
  EXPECT_EQ(ladder.accepting(), gate::open);
  EXPECT_EQ(ladder.level(), pressure_level::evict_idle);
  ladder.add_memory(-94 * mebibyte);
  tick(ladder);
  EXPECT_EQ(ladder.level(), pressure_level::normal);
}

TEST(pressure_ladder, loses_patience_only_when_nobody_is_let_in) {
  pressure_ladder ladder{{.patience = 1s}, when_full::evict_idle, 10};
  take(ladder, 10);
  EXPECT_FALSE(ladder.take());
  EXPECT_TRUE(ladder.begin_waiting());
  EXPECT_FALSE(ladder.begin_waiting());
  ladder.reconsider();
  for (int i = 0; i < 50; ++i) {  // one is let in every half second
    if (i % 5 == 0) {
      EXPECT_TRUE(ladder.end_waiting());
      ladder.begin_waiting();
    }
    tick(ladder);
    ASSERT_EQ(ladder.level(), pressure_level::pause_accept) << i;
  }
  tick(ladder, 11);
  EXPECT_EQ(ladder.level(), pressure_level::refuse);
  EXPECT_EQ(ladder.accepting(), gate::impatient);
  ladder.end_waiting();
  tick(ladder);
  EXPECT_EQ(ladder.level(), pressure_level::shrink_idle);
  EXPECT_EQ(ladder.accepting(), gate::open);
}

TEST(pressure_ladder, leaves_out_the_rungs_that_are_not_wanted) {
  pressure_ladder refuses{{.memory = 1 << 20}, when_full::refuse, 10};
  refuses.add_memory(1 << 20);
  refuses.reconsider();
  EXPECT_EQ(refuses.accepting(), gate::refusing);
  EXPECT_EQ(refuses.level(), pressure_level::refuse);
  EXPECT_FALSE(refuses.evicts());
  pressure_ladder pauses{{.memory = 1 << 20}, when_full::pause_accept, 10};
  pauses.add_memory(1 << 20);
  pauses.reconsider();
  EXPECT_EQ(pauses.accepting(), gate::closed);
  EXPECT_FALSE(pauses.evicts());
}

TEST(pressure_ladder, a_long_turn_closes_the_gate_for_a_moment) {
  pressure_ladder ladder{{.turn = 100ms}, when_full::evict_idle, 10};
  ladder.turn_took(99ms);
  EXPECT_FALSE(ladder.reconsider());
  ladder.turn_took(250ms);
  ladder.turn_took(120ms);
  ASSERT_TRUE(ladder.reconsider());
  EXPECT_EQ(ladder.accepting(), gate::closed);
  EXPECT_EQ(ladder.status().cause, pressure_cause::turn);
  EXPECT_EQ(ladder.status().used[3], 250U);
  tick(ladder, 2);
  EXPECT_EQ(ladder.level(), pressure_level::normal);
}

TEST(pressure_ladder, knows_of_descriptors_that_are_not_connections) {
  pressure_ladder ladder{{}, when_full::evict_idle, 1'000};
  ladder.set_descriptors(1'000);
  take(ladder, 100);
  ladder.saw_descriptor(799);
  ladder.reconsider();
  EXPECT_EQ(ladder.level(), pressure_level::shrink_idle);
  EXPECT_EQ(ladder.status().cause, pressure_cause::descriptors);
  ladder.saw_descriptor(110);
  tick(ladder);
  EXPECT_EQ(ladder.level(), pressure_level::normal);
}

TEST(pressure_ladder, with_no_limits_never_moves) {
  pressure_ladder ladder{{}, when_full::evict_idle, dwell::unlimited};
  take(ladder, 100'000);
  ladder.add_memory(std::int64_t{1} << 40);
  EXPECT_FALSE(ladder.is_steep());
  EXPECT_FALSE(ladder.reconsider());
  EXPECT_EQ(ladder.status().used[0], 0U);
}

/// Whatever is reported: it never goes down but in a tick, never up without a cause, and ends at
/// the bottom once all is given back.
TEST(pressure_ladder, keeps_its_promises_for_random_reports) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random{seed};
    pressure_ladder ladder{{.memory = 10 << 20, .patience = 300ms}, when_full::evict_idle, 20};
    int taken = 0;
    std::int64_t memory = 0;
    for (int i = 0; i < 500; ++i) {
      const auto before = ladder.level();
      bool ticked = false;
      switch (random() % 8) {
        case 0:
        case 1: taken += ladder.take() ? 1 : 0; break;
        case 2:
          if (taken > 0) {
            ladder.give();
            --taken;
          }
          break;
        case 3: {
          const auto change = static_cast<std::int64_t>(random() % (4 << 20)) -
                              std::min<std::int64_t>(memory, 2 << 20);
          ladder.add_memory(change);
          memory += change;
          break;
        }
        case 4: ladder.begin_waiting(); break;
        case 5: ladder.end_waiting(); break;
        case 6:
          ladder.tick();
          ticked = true;
          break;
        default: ladder.evicted();
      }
      ladder.reconsider();
      ASSERT_LE(taken, 20);
      ASSERT_TRUE(ticked || ladder.level() >= before);
      const bool full = memory >= (10 << 20);
      ASSERT_TRUE(!full || ladder.accepting() != gate::open);
    }
    ladder.add_memory(-memory);
    while (taken-- > 0) ladder.give();
    ladder.end_waiting();
    tick(ladder, 20);
    EXPECT_EQ(ladder.level(), pressure_level::normal);
    EXPECT_EQ(ladder.accepting(), gate::open);
  }
}

TEST(pressure_ladder, is_for_any_thread) {
  pressure_ladder ladder{{.memory = 1 << 20}, when_full::evict_idle, 1'000};
  std::vector<std::thread> loops;
  for (int t = 0; t < 4; ++t) {
    loops.emplace_back([&ladder, t] {
      for (int i = 0; i < 2'000; ++i) {
        if (ladder.take()) {
          ladder.saw_descriptor(i);
          if (ladder.add_memory(8'192)) ladder.reconsider();
          if (t == 0) ladder.tick();
          ladder.add_memory(-8'192);
          ladder.give();
        }
        static_cast<void>(ladder.status());
      }
    });
  }
  for (auto& each : loops) each.join();
  EXPECT_EQ(ladder.taken(), 0U);
  EXPECT_EQ(ladder.status().memory, 0U);
}

}  // namespace
