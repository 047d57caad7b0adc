#include "report.hpp"

#include "result_json.hpp"

#include <random>

namespace load {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view hostile =
    "</script ><script>alert(1)</script ><!-- \xE2\x80\xA8 & \" {{data}} {{title}} ]]>";

run_result some_run(std::mt19937_64& random) {
  run_result run;
  std::lognormal_distribution<double> us{5, 1.5};
  for (int i = 0; i < 5'000; ++i) {
    run.latencies.request.record(nanoseconds{static_cast<std::int64_t>(us(random) * 1e3)});
  }
  run.answered = run.sent = run.due = 5'000;
  return run;
}

report some_report() {
  std::mt19937_64 random{7};
  report made;
  made.verdict = "At 2,000 requests a second, short connections cost 4.6× the CPU.";
  made.columns.resize(1);
  made.columns[0].name = "long";
  made.columns[0].at_rate = {some_run(random), some_run(random)};
  made.columns[0].search = {some_run(random)};
  made.columns[0].time_wait = some_run(random);
  return made;
}

std::string_view embedded(std::string_view page) {
  constexpr std::string_view opening = "<script type=\"application/json\" id=\"data\">";
  const std::size_t start = page.find(opening);
  if (start == page.npos) return {};
  page.remove_prefix(start + opening.size());
  return page.substr(0, page.find("</script>"));
}

std::size_t count(std::string_view in, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = in.find(what); at != in.npos; at = in.find(what, at + 1)) ++found;
  return found;
}

TEST(report, holds_what_it_shows) {
  const std::string page = render_html(some_report());
  const json data = json::parse(embedded(page));
  ASSERT_EQ(data.size(), 1U);
  const report again = report_from_json(data[0]["report"]);
  EXPECT_EQ(again.verdict, some_report().verdict);
  EXPECT_NE(page.find("<title>" + again.verdict), page.npos);
}

TEST(report, keeps_the_percentiles_of_each_run) {
  const report whole = some_report();
  const report again = report_from_json(json::parse(embedded(render_html(whole)))[0]["report"]);
  const auto& before = whole.columns[0];
  const auto& after = again.columns[0];
  const auto same = [](const run_result& was, const run_result& is) {
    for (const double quantile : {0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
      EXPECT_EQ(was.latencies.request.at(quantile), is.latencies.request.at(quantile)) << quantile;
    }
    EXPECT_EQ(was.latencies.request.count(), is.latencies.request.count());
    EXPECT_EQ(was.latencies.request.max(), is.latencies.request.max());
  };
  same(before.at_rate[0], after.at_rate[0]);
  same(before.at_rate[1], after.at_rate[1]);
  same(before.search[0], after.search[0]);
  same(*before.time_wait, *after.time_wait);
  EXPECT_LT(embedded(render_html(whole)).size(), to_json(whole).dump().size() / 3);
}

TEST(report, cannot_be_broken_out_of) {
  report bad = some_report();
  const std::string plain = render_html(bad);
  bad.verdict = bad.command = bad.columns[0].name = hostile;
  bad.columns[0].at_rate[0].flags = {std::string{hostile}};
  bad.columns[0].at_rate[0].errors[std::string{hostile}] = 1;
  bad.environment.client_sysctls[std::string{hostile}] = hostile;
  const named_report named{std::string{hostile}, bad};
  const std::string page = render_html(std::span{&named, 1});

  for (const std::string_view opens : {"<script", "</script", "<!--", "<title", "</title"}) {
    EXPECT_EQ(count(page, opens), count(plain, opens)) << opens;
  }
  EXPECT_EQ(count(embedded(page), "\xE2\x80\xA8"), 0U);
  const json data = json::parse(embedded(page));
  EXPECT_EQ(data[0]["name"], hostile);
  EXPECT_EQ(data[0]["report"]["columns"][0]["name"], hostile);
  EXPECT_EQ(data[0]["report"]["command"], hostile);
}

TEST(report, survives_bytes_that_are_no_text) {
  report bad = some_report();
  bad.environment.processor = "\xFF\xFE";
  EXPECT_EQ(json::parse(embedded(render_html(bad))).size(), 1U);
}

TEST(report, loads_nothing) {
  const std::string page = render_html(some_report());
  EXPECT_NE(page.find("default-src 'none'"), page.npos);
  for (const std::string_view loads : {"src=\"", "<link", "@import", "url("}) {
    EXPECT_EQ(count(page, loads), 0U) << loads;
  }
}

}  // namespace
}  // namespace load
