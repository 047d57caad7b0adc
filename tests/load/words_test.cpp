#include "words.hpp"

#include "hgrm.hpp"
#include "table.hpp"

#include <sstream>

namespace load {
namespace {

using namespace std::chrono_literals;

TEST(load_words, have_three_figures_and_a_unit) {
  EXPECT_EQ(in_words(nanoseconds{0}), "0.00 us");
  EXPECT_EQ(in_words(1'234ns), "1.23 us");
  EXPECT_EQ(in_words(99'940ns), "99.9 us");
  EXPECT_EQ(in_words(99'960ns), "100 us");
  EXPECT_EQ(in_words(999'499ns), "999 us");
  EXPECT_EQ(in_words(999'500ns), "1.00 ms");
  EXPECT_EQ(in_words(61s), "61.0 s");
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1'000), "1,000");
  EXPECT_EQ(with_commas(12'345'678), "12,345,678");
}

TEST(load_table, has_a_column_for_each_run_and_says_what_is_doubtful_once) {
  std::vector<run_result> runs(2);
  runs[1].plan.requests_per_connection = 1;
  runs[1].errors["reset"] = 3;
  for (run_result& each : runs) {
    each.measured_s = 2;
    each.answered = 4'000;
    each.flags = {"too short"};
    each.latencies.request.record(1ms);
  }
  const std::string text = table_of(runs);
  const auto line = [&](std::string_view beginning) {
    std::istringstream lines{text};
    for (std::string each; std::getline(lines, each);) {
      if (each.starts_with(beginning)) return each;
    }
    return std::string{};
  };
  EXPECT_NE(text.find("long   short, client closes\n"), std::string::npos) << text;
  EXPECT_EQ(line("answered, a second").substr(22), "          2,000                  2,000");
  EXPECT_EQ(line("error: reset").substr(22), "                                     3");
  EXPECT_EQ(line("request         p50").substr(22), "        1.00 ms                1.00 ms");
  EXPECT_EQ(line("doubtful"), "doubtful: too short (long; short, client closes)");
  EXPECT_EQ(text.find("unsent"), std::string::npos) << "nothing was";
}

TEST(load_hgrm, rises_to_the_last_one_and_counts_all) {
  histogram of;
  for (int i = 1; i <= 100'000; ++i) of.record(i * 10us);
  std::istringstream lines{to_hgrm(of)};
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
  std::getline(lines, line);
  double value_before = 0, percentile_before = -1;
  std::size_t rows = 0;
  for (; std::getline(lines, line) && !line.starts_with('#'); ++rows) {
    std::istringstream fields{line};
    double value = 0, percentile = 0, total = 0;
    fields >> value >> percentile >> total;
    EXPECT_GE(value, value_before);
    EXPECT_GT(percentile, percentile_before);
    EXPECT_NEAR(value, percentile * 1'000, 2) << line;  // ms: they were even
    EXPECT_GE(total, percentile * 100'000 - 1);
    value_before = value;
    percentile_before = percentile;
  }
  EXPECT_GT(rows, 50U);
  EXPECT_EQ(percentile_before, 1);
  EXPECT_EQ(line, "#[Mean    =      500.005, StdDeviation   =      288.675]");
  std::getline(lines, line);
  EXPECT_EQ(line, "#[Max     =     1000.000, Total count    =       100000]");
  EXPECT_NE(to_hgrm(histogram{}).find("Total count    =            0]"), std::string::npos);
}

}  // namespace
}  // namespace load
