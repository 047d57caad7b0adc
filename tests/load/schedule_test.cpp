#include "schedule.hpp"

#include "window.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace load {
namespace {

using namespace std::chrono_literals;

plan with(arrival how, double rate, std::uint32_t threads, std::uint64_t seed = 1) {
  plan of;
  of.arrival = how;
  of.rate = rate;
  of.threads = threads;
  of.connections = threads;
  of.seed = seed;
  return of;
}

std::vector<nanoseconds> times(const plan& of, std::uint32_t thread, nanoseconds until) {
  std::vector<nanoseconds> result;
  for (schedule each{of, thread}; each.due() < until; each.next()) result.push_back(each.due());
  return result;
}

std::vector<nanoseconds> times_of_all(const plan& of, nanoseconds until) {
  std::vector<nanoseconds> all;
  for (std::uint32_t thread = 0; thread < of.threads; ++thread) {
    const std::vector<nanoseconds> share = times(of, thread, until);
    EXPECT_TRUE(std::ranges::is_sorted(share));
    all.insert(all.end(), share.begin(), share.end());
  }
  std::ranges::sort(all);
  return all;
}

TEST(load_schedule, even_is_one_every_so_often_whatever_the_threads) {
  for (const std::uint32_t threads : {1U, 2U, 3U, 7U}) {
    const std::vector<nanoseconds> all = times_of_all(with(arrival::even, 1'000, threads), 20s);
    ASSERT_EQ(all.size(), 20'000U) << threads;
    for (std::size_t i = 0; i < all.size(); ++i) {
      // Each is computed from the beginning, so that a day's run does not drift.
      ASSERT_LE(std::abs((all[i] - static_cast<std::int64_t>(i) * 1ms).count()), 1) << i;
    }
  }
}

TEST(load_schedule, poisson_gaps_have_the_mean_and_variance_of_independent_arrivals) {
  for (const std::uint32_t threads : {1U, 4U}) {
    const std::vector<nanoseconds> all =
        times_of_all(with(arrival::poisson, 10'000, threads, 7), 8s);
    const auto count = static_cast<double>(all.size());
    EXPECT_NEAR(count, 80'000, 5 * std::sqrt(80'000));  // five standard deviations
    double mean = 0, squares = 0;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const double gap = std::chrono::duration<double, std::micro>(all[i] - all[i - 1]).count();
      mean += gap;
      squares += gap * gap;
    }
    mean /= count - 1;
    const double variance = squares / (count - 1) - mean * mean;
    EXPECT_NEAR(mean, 100, 2);
    EXPECT_NEAR(variance, 100 * 100, 600);  // of an exponential: the mean's square
  }
}

TEST(load_schedule, a_seed_gives_its_times_again_and_another_gives_others) {
  const auto of_seed = [](std::uint64_t seed) {
    return times(with(arrival::poisson, 1'000, 2, seed), 1, 1s);
  };
  EXPECT_EQ(of_seed(1), of_seed(1));
  EXPECT_NE(of_seed(1), of_seed(2));
  const plan two = with(arrival::poisson, 1'000, 2);
  EXPECT_NE(times(two, 0, 1s), times(two, 1, 1s));
}

TEST(load_window, ends_seconds_at_the_warm_ups_end_and_at_its_own) {
  const auto boundaries = [](nanoseconds warmup, nanoseconds duration) {
    plan of;
    of.warmup = warmup;
    of.duration = duration;
    const window seconds{of};
    std::vector<nanoseconds> result;
    for (nanoseconds at{0}; at < seconds.end();) {
      result.push_back(at = seconds.next_boundary(at));
    }
    return result;
  };
  using several = std::vector<nanoseconds>;
  EXPECT_EQ(boundaries(1s, 2s), (several{1s, 2s, 3s}));
  EXPECT_EQ(boundaries(0s, 1500ms), (several{1s, 1500ms}));
  EXPECT_EQ(boundaries(1250ms, 1s), (several{1s, 1250ms, 2250ms}));
  EXPECT_EQ(boundaries(500ms, 100ms), (several{500ms, 600ms}));
}

}  // namespace
}  // namespace load
