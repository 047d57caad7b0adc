#include "deadline/timing_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

namespace {

using dwell::duration;
using dwell::tick;

constexpr std::uint32_t no_limit = 0xffff'ffff;
constexpr std::uint64_t day = 86'400'000;

// What the wheel should do, on a clock that does not wrap.
class reference {
 public:
  void arm(std::uint32_t index, std::uint64_t due) {
    disarm(index);
    entries_.emplace(index, by_due_.emplace(due, index));
  }
  void disarm(std::uint32_t index) {
    const auto found = entries_.find(index);
    if (found == entries_.end()) return;
    by_due_.erase(found->second);
    entries_.erase(found);
  }
  std::optional<std::uint64_t> due(std::uint32_t index) const {
    const auto found = entries_.find(index);
    if (found == entries_.end()) return std::nullopt;
    return found->second->first;
  }
  std::optional<std::uint64_t> earliest() const {
    if (by_due_.empty()) return std::nullopt;
    return by_due_.begin()->first;
  }
  std::size_t size() const { return entries_.size(); }

 private:
  std::multimap<std::uint64_t, std::uint32_t> by_due_;
  std::unordered_map<std::uint32_t, std::multimap<std::uint64_t, std::uint32_t>::iterator> entries_;
};

// Wheel and reference side by side. Ticks of the wheel are the low 32 bits of the reference's.
class timing_wheel_model : public testing::TestWithParam<std::uint64_t> {
 protected:
  static tick low(std::uint64_t time) { return tick{static_cast<std::uint32_t>(time)}; }

  void arm(std::uint32_t index, std::uint64_t due) {
    wheel.arm(index, low(due));
    model.arm(index, due);
  }
  void disarm(std::uint32_t index) {
    wheel.disarm(index);
    model.disarm(index);
  }

  // Pops until the wheel has no more, or ran out of moves: everything popped was due. Returns how
  // many came, and takes what it used from the allowance.
  std::uint32_t pop_all(std::uint32_t& moves) {
    std::uint32_t popped = 0;
    while (const auto index = wheel.pop(low(now), moves)) {
      const auto due = model.due(*index);
      EXPECT_TRUE(due.has_value()) << "index " << *index << " was not armed";
      if (!due) return popped;
      EXPECT_LE(*due, now) << "early by " << *due - now << " ms";
      EXPECT_FALSE(wheel.armed(*index));
      model.disarm(*index);
      ++popped;
    }
    return popped;
  }

  void expect_nothing_overdue() {
    if (model.earliest()) {
      EXPECT_GT(*model.earliest(), now) << "lost";
    }
  }

  // next() is never late, and early only by what it promises.
  void expect_next() {
    const auto next = wheel.next();
    ASSERT_EQ(next.has_value(), model.size() > 0);
    if (!next) return;
    // By unsigned difference from the present, since next() may be further away than 24.8 days.
    const std::uint64_t ahead = static_cast<std::uint32_t>(next->value() - low(now).value());
    const std::uint64_t wait = *model.earliest() - now;
    EXPECT_GT(ahead, 0U);
    EXPECT_LE(ahead, wait);
    const std::uint64_t slack = wait - ahead;
    EXPECT_LT(slack, std::uint64_t{1} << 24);
    const std::uint64_t differing = *model.earliest() ^ now;
    if (differing < std::uint64_t{1} << 8) {
      EXPECT_EQ(slack, 0U);
    } else if (differing < std::uint64_t{1} << 16) {
      EXPECT_LT(slack, std::uint64_t{1} << 8);
    } else if (differing < std::uint64_t{1} << 24) {
      EXPECT_LT(slack, std::uint64_t{1} << 16);
    }
  }

  std::uint64_t now = GetParam();
  dwell::timing_wheel wheel{low(now)};
  reference model;
};

// Any length up to `longest`, short ones as often as long ones.
std::uint64_t any_length(std::mt19937_64& random, std::uint64_t longest) {
  const auto bits = std::uniform_int_distribution<int>{0, 31}(random);
  return std::min(random() & ((std::uint64_t{1} << bits) - 1), longest);
}

TEST_P(timing_wheel_model, does_what_a_multimap_does) {
  constexpr std::uint32_t indices = 300;
  wheel.grow(indices);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    for (int step = 0; step < 2'000 && !HasFailure(); ++step) {
      const auto index = static_cast<std::uint32_t>(random() % indices);
      switch (random() % 8) {
        case 0: disarm(index); break;
        case 1: arm(index, now - any_length(random, day)); break;
        case 2: {
          now += any_length(random, 10 * day);
          std::uint32_t moves = no_limit;
          pop_all(moves);
          expect_nothing_overdue();
          expect_next();
          break;
        }
        case 3: {  // a few at a time
          now += any_length(random, day);
          std::uint32_t moves = 3;
          pop_all(moves);
          const auto next = wheel.next();
          const bool ahead = next && !dwell::before(low(now), *next);
          if (!ahead) expect_nothing_overdue();
          break;
        }
        default: arm(index, now + any_length(random, 24 * day));
      }
      ASSERT_EQ(wheel.size(), model.size());
      ASSERT_EQ(wheel.armed(index), model.due(index).has_value());
      if (wheel.armed(index)) {
        ASSERT_EQ(wheel.due(index), low(*model.due(index)));
      }
    }
  }
}

TEST_P(timing_wheel_model, fires_in_the_exact_tick) {
  constexpr std::uint32_t indices = 5'000;
  wheel.grow(indices);
  std::mt19937_64 random{1};
  for (std::uint32_t index = 0; index < indices; ++index) arm(index, now + random() % 200'000);
  for (const std::uint64_t end = now + 200'000; now < end; ++now) {
    std::uint32_t moves = no_limit;
    pop_all(moves);
    expect_nothing_overdue();
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(wheel.size(), 0U);
}

TEST_P(timing_wheel_model, following_next_hits_each_of_a_million_in_its_tick) {
  constexpr std::uint32_t indices = 1'000'000;
  wheel.reserve(indices);
  wheel.grow(indices);
  std::mt19937_64 random{1};
  std::vector<std::uint64_t> due(indices);
  for (std::uint32_t index = 0; index < indices; ++index) {
    due[index] = now + (index % 2 == 0 ? random() % 600'000 : any_length(random, 24 * day));
    wheel.arm(index, low(due[index]));
  }
  std::uint32_t popped = 0;
  std::uint32_t moves = no_limit;
  while (const auto next = wheel.next()) {
    now += static_cast<std::uint32_t>(next->value() - low(now).value());
    while (const auto index = wheel.pop(low(now), moves)) {
      ASSERT_EQ(due[*index], now);
      ++popped;
    }
  }
  EXPECT_EQ(popped, indices);
  EXPECT_LE(no_limit - moves, 3 * indices) << "each entry moves at most three times";
}

TEST_P(timing_wheel_model, a_jump_costs_its_entries_and_not_its_milliseconds) {
  wheel.grow(2);
  arm(0, now + 24 * day);
  arm(1, now + 1);
  now += 24 * day - 1;
  std::uint32_t moves = 2 * 3;  // through every level
  EXPECT_EQ(pop_all(moves), 1U);
  EXPECT_TRUE(wheel.armed(0));
  now += 1;
  EXPECT_EQ(pop_all(moves), 1U);
}

TEST_P(timing_wheel_model, entries_may_be_armed_and_disarmed_between_pops) {
  constexpr std::uint32_t indices = 500;
  wheel.grow(indices);
  std::mt19937_64 random{7};
  for (std::uint32_t index = 0; index < indices; ++index) arm(index, now + random() % 1'000);
  for (int turn = 0; turn < 5'000; ++turn) {
    now += random() % 20;
    std::uint32_t moves = no_limit;
    while (const auto index = wheel.pop(low(now), moves)) {
      ASSERT_LE(*model.due(*index), now);
      model.disarm(*index);
      const auto other = static_cast<std::uint32_t>(random() % indices);
      if (random() % 4 == 0) {
        disarm(other);
      } else {
        arm(other, now + 1 + random() % 1'000);
      }
      arm(*index, now + 1 + any_length(random, 100'000));
    }
    expect_nothing_overdue();
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(timing_wheel_model, a_cascade_in_small_steps_loses_nothing_and_stays_within_its_moves) {
  constexpr std::uint32_t indices = 2'000;
  wheel.grow(indices);
  std::mt19937_64 random{3};
  for (std::uint32_t index = 0; index < indices; ++index) {
    arm(index, now + 70'000 + random() % 100'000);
  }
  std::uint32_t used = 0;
  while (wheel.size() > 0 && !HasFailure()) {
    std::uint32_t moves = 10;
    pop_all(moves);
    ASSERT_LE(moves, 10U);
    used += 10 - moves;
    const auto next = wheel.next();
    if (!next) break;
    if (dwell::before(low(now), *next)) {  // else the same again: more to do in this tick
      expect_nothing_overdue();
      now += 1;
    } else {
      ASSERT_EQ(moves, 0U) << "stopped although it could go on";
      const auto index = static_cast<std::uint32_t>(random() % indices);
      if (wheel.armed(index)) arm(index, now + random() % 300);  // into a half-done cascade
    }
  }
  EXPECT_EQ(model.size(), 0U);
  EXPECT_GT(used, indices);
}

TEST_P(timing_wheel_model, what_is_due_already_fires_at_the_next_pop) {
  wheel.grow(3);
  arm(0, now);
  arm(1, now - 1);
  arm(2, now - day);
  std::uint32_t moves = 0;
  EXPECT_EQ(pop_all(moves), 3U);
}

TEST_P(timing_wheel_model, entries_popped_a_month_late_are_not_lost) {
  wheel.grow(2);
  arm(0, now + 60'000);
  arm(1, now + 24 * day);
  now += 36 * day;
  std::uint32_t moves = no_limit;
  EXPECT_EQ(pop_all(moves), 2U);
}

TEST_P(timing_wheel_model, the_longest_deadline_may_be_armed_days_after_the_last_pop) {
  wheel.grow(2);
  arm(0, now + 20 * day);
  now += 13 * day;
  arm(1, now + 24 * day);
  std::uint32_t moves = no_limit;
  EXPECT_EQ(pop_all(moves), 0U);
  now += 24 * day - 1;
  EXPECT_EQ(pop_all(moves), 1U);
  now += 1;
  EXPECT_EQ(pop_all(moves), 1U);
}

TEST_P(timing_wheel_model, an_empty_wheel_may_sleep_longer_than_its_ticks_reach) {
  wheel.grow(1);
  for (const std::uint64_t days : {1U, 20U, 30U, 40U, 45U, 49U, 60U, 400U}) {
    now += days * day;
    wheel.advance(low(now));
    arm(0, now + 60'000);
    std::uint32_t moves = no_limit;
    now += 59'999;
    EXPECT_EQ(pop_all(moves), 0U) << days;
    now += 1;
    EXPECT_EQ(pop_all(moves), 1U) << days;
  }
}

TEST_P(timing_wheel_model, a_time_before_the_last_one_fires_nothing) {
  wheel.grow(2);
  arm(0, now + 1'000);
  arm(1, now + 5'000);
  now += 1'000;
  std::uint32_t moves = no_limit;
  EXPECT_EQ(pop_all(moves), 1U);
  arm(0, now);
  EXPECT_EQ(wheel.pop(low(now - 1), moves), std::nullopt);
  wheel.advance(low(now - 500));
  EXPECT_EQ(pop_all(moves), 1U);
}

TEST_P(timing_wheel_model, growing_keeps_what_is_armed) {
  wheel.grow(1);
  arm(0, now + 10);
  wheel.grow(100'000);
  EXPECT_EQ(wheel.capacity(), 100'000U);
  wheel.grow(5);
  EXPECT_EQ(wheel.capacity(), 100'000U);
  EXPECT_FALSE(wheel.armed(99'999));
  arm(99'999, now + 5);
  now += 10;
  std::uint32_t moves = no_limit;
  EXPECT_EQ(pop_all(moves), 2U);
}

constexpr std::uint64_t wrap = std::uint64_t{1} << 32;

INSTANTIATE_TEST_SUITE_P(starts, timing_wheel_model,
                         testing::Values(7 * wrap, 7 * wrap + 123'456'789, 8 * wrap - 60'000,
                                         8 * wrap - 1, 7 * wrap + wrap / 2 - 1'000));

}  // namespace
