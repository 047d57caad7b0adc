#include "deadline/reaper.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace {

using dwell::duration;
using dwell::reap_budget;
using dwell::tick;

// Connections that know their deadline, and a reaper that is told as little as possible.
class reaper_model : public testing::TestWithParam<std::uint32_t> {
 protected:
  struct connection {
    bool open = false;
    tick due;
  };

  void open(std::uint32_t index, std::int64_t in) {
    connections[index] = {true, now + duration{in}};
    reaper.expect(index, connections[index].due);
  }

  // Later only: the reaper is not told.
  void postpone(std::uint32_t index, std::int64_t in) {
    connections[index].due = now + duration{in};
  }

  // One collect; checks each look and the bound. Returns whether work is left.
  bool collect(reap_budget budget) {
    std::uint32_t units = 0;
    const bool more = reaper.collect(now, budget, [&](std::uint32_t index) -> std::optional<tick> {
      connection& at = connections[index];
      EXPECT_TRUE(at.open) << "a look at what was forgotten";
      if (dwell::before(now, at.due)) {
        units += 1;
        return at.due;
      }
      units += budget.close_cost;
      latest = std::max(latest, now - at.due);
      at.open = false;
      ++closed;
      return std::nullopt;
    });
    EXPECT_LE(units, budget.units);
    return more;
  }

  void expect_none_overdue() {
    for (const connection& each : connections) {
      ASSERT_FALSE(each.open && !dwell::before(now, each.due));
    }
  }

  static constexpr std::uint32_t count = 1'000;
  static constexpr reap_budget ample{.units = 1'000'000, .close_cost = 16};

  tick now{GetParam()};
  dwell::reaper reaper{now};
  std::vector<connection> connections = std::vector<connection>(count);
  std::uint32_t closed = 0;
  std::int32_t latest = 0;
};

TEST_P(reaper_model, closes_in_the_exact_tick_however_often_deadlines_move) {
  reaper.grow(count);
  std::mt19937_64 random{1};
  for (int time = 0; time < 30'000; ++time, now = now + duration{1}) {
    for (int change = 0; change < 3; ++change) {
      const auto index = static_cast<std::uint32_t>(random() % count);
      connection& at = connections[index];
      const auto in = static_cast<std::int64_t>(1 + random() % 5'000);
      if (at.open && random() % 16 == 0) {
        reaper.forget(index);
        at.open = false;
      } else if (at.open && dwell::before(at.due, now + duration{in})) {
        postpone(index, in);
      } else {
        open(index, in);  // new, or earlier: the reaper has to know
      }
    }
    ASSERT_FALSE(collect(ample));
    if (time % 16 == 0) expect_none_overdue();
  }
  EXPECT_EQ(latest, 0);
  EXPECT_GT(closed, 5'000U);
}

TEST_P(reaper_model, a_small_budget_delays_and_loses_nothing) {
  constexpr reap_budget small{.units = 100, .close_cost = 16};
  reaper.grow(count);
  std::mt19937_64 random{2};
  for (std::uint32_t index = 0; index < count; ++index) {
    open(index, static_cast<std::int64_t>(20'000 + random() % 20));
    if (index % 3 == 0) postpone(index, static_cast<std::int64_t>(21'000 + random() % 20));
  }
  int turns = 0;
  while (reaper.size() > 0) {
    const auto next = reaper.next();
    ASSERT_TRUE(next);
    if (dwell::before(now, *next)) now = *next;
    while (collect(small)) ++turns;
    expect_none_overdue();
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(closed, count);
  EXPECT_EQ(latest, 0);
  EXPECT_GT(turns, 100);
}

TEST_P(reaper_model, one_turn_does_at_most_its_budget_of_closes) {
  reaper.grow(count);
  for (std::uint32_t index = 0; index < count; ++index) open(index, 10);
  now = now + duration{10};
  EXPECT_TRUE(collect({}));
  EXPECT_EQ(closed, 64U) << "1,024 units, 16 each";
  while (collect({})) {
  }
  EXPECT_EQ(closed, count);
}

TEST_P(reaper_model, moving_entries_between_levels_is_part_of_the_budget) {
  reaper.grow(count);
  for (std::uint32_t index = 0; index < count; ++index) open(index, 70'000);
  now = now + duration{70'000};
  // At least one move each, for all of them: 1,000 units, before the first close can happen.
  int turns_without_close = 0;
  while (closed == 0) {
    ASSERT_TRUE(collect({.units = 100, .close_cost = 10}));
    ++turns_without_close;
  }
  EXPECT_GE(turns_without_close, 10);
}

TEST_P(reaper_model, a_look_may_change_any_deadline) {
  reaper.grow(4);
  for (std::uint32_t index = 0; index < 4; ++index) reaper.expect(index, now + duration{5});
  now = now + duration{5};
  std::vector<std::uint32_t> looks;
  const auto look = [&](std::uint32_t index) -> std::optional<tick> {
    looks.push_back(index);
    for (std::uint32_t other = 0; other < 4; ++other) reaper.forget(other);
    reaper.expect(index, now + duration{3});  // earlier than what is returned
    return now + duration{7};
  };
  EXPECT_FALSE(reaper.collect(now, {}, look));
  EXPECT_EQ(looks.size(), 1U);
  EXPECT_EQ(reaper.next(), now + duration{3});
}

TEST_P(reaper_model, expecting_later_leaves_the_wheel_alone) {
  reaper.grow(1);
  reaper.expect(0, now + duration{100});
  reaper.expect(0, now + duration{500});
  EXPECT_EQ(reaper.next(), now + duration{100});
  reaper.expect(0, now + duration{50});
  EXPECT_EQ(reaper.next(), now + duration{50});
  reaper.forget(0);
  EXPECT_EQ(reaper.next(), std::nullopt);
  EXPECT_EQ(reaper.size(), 0U);
}

TEST_P(reaper_model, a_look_that_postpones_to_the_present_ends_with_the_budget) {
  reaper.grow(1);
  reaper.expect(0, now);
  int looks = 0;
  const auto look = [&](std::uint32_t) {
    ++looks;
    return std::optional{now};
  };
  EXPECT_TRUE(reaper.collect(now, {.units = 100, .close_cost = 10}, look));
  EXPECT_EQ(looks, 91) << "until 10 units are not left any more";
}

// Slots of 256 ticks begin at the first: next() is exact for what the tests above expect.
INSTANTIATE_TEST_SUITE_P(starts, reaper_model,
                         testing::Values(0U, 256U * 1'000'000U, 0U - 20'480U, 0x7fff'ff00U));

}  // namespace
