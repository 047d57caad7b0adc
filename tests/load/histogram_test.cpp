#include "histogram.hpp"

#include "result_json.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace load {
namespace {

using nanoseconds = std::chrono::nanoseconds;

/// Durations of all sizes, 1 ns to 2^40 ns, as often in each power of two.
std::vector<nanoseconds> durations(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random{seed};
  std::uniform_real_distribution<double> exponent{0, 40};
  std::vector<nanoseconds> result(count);
  for (nanoseconds& each : result) {
    each = nanoseconds{static_cast<std::int64_t>(std::exp2(exponent(random)))};
  }
  return result;
}

histogram recorded(const std::vector<nanoseconds>& durations) {
  histogram result;
  for (const nanoseconds each : durations) result.record(each);
  return result;
}

std::vector<std::pair<nanoseconds, std::uint64_t>> buckets_of(const histogram& of) {
  std::vector<std::pair<nanoseconds, std::uint64_t>> result;
  of.visit([&](nanoseconds middle, std::uint64_t count) { result.emplace_back(middle, count); });
  return result;
}

TEST(load_histogram, reads_back_every_quantile_within_a_thousandth) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<nanoseconds> exact = durations(seed, 300);
    const histogram of = recorded(exact);
    std::ranges::sort(exact);
    for (std::size_t rank = 1; rank <= exact.size(); ++rank) {
      const double quantile = (static_cast<double>(rank) - 0.5) / static_cast<double>(exact.size());
      const auto wanted = static_cast<double>(exact[rank - 1].count());
      ASSERT_NEAR(static_cast<double>(of.at(quantile).count()), wanted, wanted / 1'000)
          << "seed " << seed << ", quantile " << quantile;
    }
    EXPECT_EQ(of.min(), exact.front());
    EXPECT_EQ(of.max(), exact.back());
  }
}

TEST(load_histogram, adding_two_is_recording_all) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<nanoseconds> all = durations(seed, 1'000);
    const auto split = all.begin() + static_cast<std::ptrdiff_t>(seed * 47);
    histogram sum = recorded({all.begin(), split});
    sum.add(recorded({split, all.end()}));
    const histogram whole = recorded(all);
    EXPECT_EQ(buckets_of(sum), buckets_of(whole));
    EXPECT_EQ(sum.count(), whole.count());
    EXPECT_EQ(sum.min(), whole.min());
    EXPECT_EQ(sum.max(), whole.max());
    EXPECT_NEAR(sum.mean_ns(), whole.mean_ns(), whole.mean_ns() * 1e-9);
  }
}

TEST(load_histogram, takes_what_is_out_of_range_as_its_ends) {
  histogram of;
  of.record(nanoseconds{-5});
  of.record(std::chrono::hours{2});
  EXPECT_EQ(of.min(), nanoseconds{0});
  EXPECT_EQ(of.max(), nanoseconds{(std::int64_t{1} << 40) - 1});
}

TEST(load_histogram, is_the_same_after_json) {
  for (std::uint64_t seed = 0; seed <= 20; ++seed) {
    const histogram of = recorded(durations(seed, seed * 100));
    const std::string text = to_json(of).dump();
    const histogram again = histogram_from_json(nlohmann::ordered_json::parse(text));
    EXPECT_EQ(buckets_of(again), buckets_of(of));
    EXPECT_EQ(to_json(again).dump(), text);
  }
  histogram same;
  for (int i = 0; i < 3; ++i) same.record(nanoseconds{1'234'567});
  EXPECT_EQ(to_json(histogram_from_json(to_json(same))).dump(), to_json(same).dump());
}

}  // namespace
}  // namespace load
