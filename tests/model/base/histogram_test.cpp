#include "base/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

// Samples as latencies have them: most near each other, some far away.
std::vector<std::uint64_t> sorted_samples(std::uint64_t seed) {
  std::mt19937_64 random{seed};
  std::lognormal_distribution<double> common{11.0, 1.5};
  std::vector<std::uint64_t> samples(1 + random() % 20'000);
  for (auto& each : samples) {
    each = random() % 50 == 0 ? random() >> (20 + random() % 44)
                              : static_cast<std::uint64_t>(common(random));
  }
  std::ranges::sort(samples);
  return samples;
}

// The smallest sample that at least the fraction `q` is not above.
std::uint64_t quantile_of(const std::vector<std::uint64_t>& sorted, double q) {
  const auto wanted = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(wanted, 1) - 1];
}

class histogram_model : public testing::TestWithParam<int> {  // significant digits
 protected:
  // Above what was recorded, by the promised error at most.
  void expect_near(std::uint64_t read, std::uint64_t recorded) const {
    EXPECT_GE(read, recorded);
    EXPECT_LE(static_cast<double>(read - recorded),
              static_cast<double>(recorded) * std::pow(10, -GetParam()));
  }
};

TEST_P(histogram_model, quantiles_are_those_of_the_sorted_samples_within_the_error) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto samples = sorted_samples(seed);
    dwell::histogram histogram{GetParam(), std::uint64_t{1} << 44};
    double sum = 0;
    for (const std::uint64_t each : samples) {
      histogram.record(each);
      sum += static_cast<double>(each);
    }
    for (const double q : {0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      expect_near(histogram.quantile(q), quantile_of(samples, q));
    }
    EXPECT_EQ(histogram.count(), samples.size());
    EXPECT_EQ(histogram.min(), samples.front());
    EXPECT_EQ(histogram.max(), samples.back());
    EXPECT_EQ(histogram.quantile(1.0), samples.back());
    EXPECT_NEAR(histogram.mean(), sum / static_cast<double>(samples.size()), 1e-6 * sum);
  }
}

TEST_P(histogram_model, any_64_bit_value_comes_back_within_the_error) {
  std::mt19937_64 random{5};
  for (int bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value :
         {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1, random() >> (63 - bits)}) {
      dwell::histogram histogram{GetParam(), std::numeric_limits<std::uint64_t>::max()};
      histogram.record(value);
      histogram.record(std::numeric_limits<std::uint64_t>::max());
      expect_near(histogram.quantile(0.5), value);
    }
  }
}

TEST_P(histogram_model, merging_is_recording_both) {
  dwell::histogram both{GetParam()};
  dwell::histogram one{GetParam()};
  dwell::histogram other{GetParam()};
  for (const std::uint64_t each : sorted_samples(1)) {
    both.record(each);
    one.record(each);
  }
  for (const std::uint64_t each : sorted_samples(2)) {
    both.record(each, 3);
    other.record(each, 3);
  }
  one.merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.min(), both.min());
  EXPECT_EQ(one.max(), both.max());
  EXPECT_NEAR(one.mean(), both.mean(), 1e-6 * both.mean());
  for (double q = 0; q <= 1; q += 0.01) EXPECT_EQ(one.quantile(q), both.quantile(q));
}

TEST_P(histogram_model, every_row_of_the_table_is_a_quantile) {
  const auto samples = sorted_samples(4);
  dwell::histogram histogram{GetParam(), std::uint64_t{1} << 44};
  for (const std::uint64_t each : samples) histogram.record(each);
  std::stringstream table;
  histogram.write_hgrm(table);
  std::string line;
  std::getline(table, line);
  std::getline(table, line);
  int rows = 0;
  double value = 0;
  double fraction = -1;
  double last_fraction = -1;
  std::uint64_t not_above = 0;
  while (std::getline(table, line) && line[0] != '#') {
    std::istringstream row{line};
    ASSERT_TRUE(row >> value >> fraction >> not_above) << line;
    EXPECT_GT(fraction, last_fraction);
    last_fraction = fraction;
    ++rows;
    const auto whole = static_cast<std::uint64_t>(std::llround(value));
    EXPECT_EQ(whole, histogram.quantile(fraction));
    const auto counted = std::ranges::upper_bound(samples, whole) - samples.begin();
    EXPECT_EQ(not_above, static_cast<std::uint64_t>(counted));
    double inverse = 0;
    if (row >> inverse) {
      EXPECT_NEAR(inverse, 1 / (1 - fraction), 0.01 + inverse * 1e-6);
    } else {
      EXPECT_EQ(fraction, 1.0);
    }
  }
  EXPECT_EQ(fraction, 1.0);
  EXPECT_EQ(not_above, samples.size());
  EXPECT_GT(rows, 20);
}

INSTANTIATE_TEST_SUITE_P(digits, histogram_model, testing::Values(1, 2, 3, 4));

}  // namespace
