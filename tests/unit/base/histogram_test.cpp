#include "base/histogram.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

TEST(histogram, nothing_recorded_is_all_zero) {
  const dwell::histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.min(), 0U);
  EXPECT_EQ(empty.max(), 0U);
  EXPECT_EQ(empty.mean(), 0);
  EXPECT_EQ(empty.quantile(0.5), 0U);
  std::ostringstream table;
  empty.write_hgrm(table);
  EXPECT_NE(table.str().find("Total count    =            0"), std::string::npos);
}

TEST(histogram, a_value_above_the_highest_counts_as_it) {
  dwell::histogram histogram{2, 1'000};
  histogram.record(10, 9);
  histogram.record(1'000'000);
  EXPECT_EQ(histogram.count(), 10U);
  EXPECT_EQ(histogram.max(), 1'000'000U);
  EXPECT_EQ(histogram.quantile(0.9), 10U);
  EXPECT_GE(histogram.quantile(1.0), 1'000U);
  EXPECT_LE(histogram.quantile(1.0), 1'010U);
}

TEST(histogram, quantiles_outside_0_to_1_are_the_nearer) {
  dwell::histogram histogram;
  histogram.record(3);
  histogram.record(5);
  EXPECT_EQ(histogram.quantile(-1), 3U);
  EXPECT_EQ(histogram.quantile(2), 5U);
}

TEST(histogram, recording_zero_times_changes_nothing) {
  dwell::histogram histogram;
  histogram.record(7, 0);
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
}

TEST(histogram, merging_takes_the_outermost_of_both) {
  dwell::histogram inner;
  dwell::histogram outer;
  inner.record(50);
  outer.record(10);
  outer.record(90);
  inner.merge(outer);
  EXPECT_EQ(inner.min(), 10U);
  EXPECT_EQ(inner.max(), 90U);
  EXPECT_EQ(inner.mean(), 50);
  dwell::histogram nothing;
  inner.merge(nothing);
  nothing.merge(inner);
  EXPECT_EQ(nothing.min(), 10U);
  EXPECT_EQ(nothing.count(), 3U);
}

TEST(histogram, refuses_what_it_cannot_keep) {
  EXPECT_THROW(dwell::histogram{0}, std::invalid_argument);
  EXPECT_THROW(dwell::histogram{5}, std::invalid_argument);
  dwell::histogram three{3};
  EXPECT_THROW(three.merge(dwell::histogram{2}), std::invalid_argument);
  EXPECT_THROW(three.merge(dwell::histogram(3, 1'000)), std::invalid_argument);
}

// Line for line as HdrHistogram's outputPercentileDistribution() writes it, except that the last
// value is exact, not the highest of its bucket (4.001).
TEST(histogram, writes_the_table_of_hdr_histogram) {
  dwell::histogram histogram{3, 3'600'000};
  for (std::uint64_t value = 1'000; value <= 4'000; value += 1'000) histogram.record(value);
  const std::string expected =
      "       Value     Percentile TotalCount 1/(1-Percentile)\n"
      "\n"
      "       1.000 0.000000000000          1           1.00\n"
      "       1.000 0.100000000000          1           1.11\n"
      "       1.000 0.200000000000          1           1.25\n"
      "       2.000 0.300000000000          2           1.43\n"
      "       2.000 0.400000000000          2           1.67\n"
      "       2.000 0.500000000000          2           2.00\n"
      "       3.001 0.550000000000          3           2.22\n"
      "       3.001 0.600000000000          3           2.50\n"
      "       3.001 0.650000000000          3           2.86\n"
      "       3.001 0.700000000000          3           3.33\n"
      "       3.001 0.750000000000          3           4.00\n"
      "       4.000 0.775000000000          4           4.44\n"
      "       4.000 1.000000000000          4\n"
      "#[Mean    =        2.500, StdDeviation   =        1.118]\n"
      "#[Max     =        4.000, Total count    =            4]\n"
      "#[Buckets =           12, SubBuckets     =         2048]\n";
  std::ostringstream table;
  histogram.write_hgrm(table, 1'000);
  EXPECT_EQ(table.str(), expected);
}

struct comma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(histogram, the_table_does_not_depend_on_the_locale) {
  dwell::histogram histogram;
  histogram.record(1'234, 5'000);
  std::ostringstream plain;
  std::ostringstream local;
  local.imbue(std::locale{std::locale::classic(), new comma});
  histogram.write_hgrm(plain);
  histogram.write_hgrm(local);
  EXPECT_EQ(plain.str(), local.str());
}

}  // namespace
