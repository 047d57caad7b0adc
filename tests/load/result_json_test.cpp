#include "result_json.hpp"

namespace load {
namespace {

using json = nlohmann::ordered_json;

/// Everything in it differs from what a new one has.
report full_report() {
  run_result run;
  set_target(run.plan, "http://[::1]:8080/a?b=c");
  run.plan.source = "127.0.0.0/24";
  run.plan.requests_per_connection = 7;
  run.plan.ending = ending::server_abort_after_fin;
  run.plan.size = 100;
  run.plan.arrival = arrival::closed;
  run.plan.rate = 1'234.5;
  run.plan.connections = 17;
  run.plan.threads = 2;
  run.plan.warmup = std::chrono::milliseconds{250};
  run.plan.duration = std::chrono::milliseconds{1'500};
  run.plan.timeout = std::chrono::microseconds{70'001};
  run.plan.seed = 99;
  run.plan.server = 4'711;
  run.partial = true;
  run.measured_s = 1.4;
  run.due = 10;
  run.sent = 9;
  run.answered = 8;
  run.unsent = 1;
  run.late = 3;
  run.errors = {{"reset", 1}};
  for (histogram* each : {&run.latencies.request, &run.latencies.naive, &run.latencies.connect,
                          &run.latencies.first_byte, &run.latencies.sent_late}) {
    each->record(std::chrono::microseconds{10 * (each - &run.latencies.request) + 10});
  }
  run.client_cpu = {1.5, 2.5};
  run.server_cpu = cpu_time{3.5, 4.5};
  run.client_busy = 0.25;
  run.ports = {28'000, 40, 1.25, 59.5};
  second one{.at_s = 1, .warmup = true, .due = 1, .sent = 2, .answered = 3, .failed = 4};
  one.connected = 5;
  one.connections = 6;
  one.ports_used = 7;
  one.client = {{{"ESTAB", 8}}, cpu_time{9, 10}, 11.0};
  one.server = one.client;
  one.packets_sent = 12;
  one.packets_received = 13;
  one.bytes_sent = 14;
  one.bytes_received = 15;
  run.seconds = {one, second{}};
  run.flags = {"too short"};

  report result;
  result.command = "dwell-load run";
  result.written = "2024-01-01T00:00:00Z";
  result.partial = true;
  result.verdict = "short costs more";
  result.withheld = {"the client was busy"};
  result.remarks = {"ports run out"};
  result.environment = {.kernel = "6.1", .processor = "any", .processors = 2};
  result.environment.client_sysctls = {{"net.ipv4.tcp_tw_reuse", "2"}};
  result.environment.client_time_wait_limit = 4'096;
  result.columns = {{"long", {run}, {run_result{}}, 1'000.0}, {"short", {}, {}, {}}};
  return result;
}

TEST(load_result_json, is_the_same_after_json) {
  const std::string text = to_json(full_report()).dump(2);
  EXPECT_EQ(to_json(parse_report(text)).dump(2), text);
  const json run = to_json(full_report())["columns"][0]["at_rate"][0];
  EXPECT_EQ(run["plan"]["timeout_s"], 0.070001);
  EXPECT_EQ(run["plan"]["ending"], "server-abort-after-fin");
  EXPECT_EQ(run["seconds"][1]["server"], nullptr);
}

void leaves_of(const json& of, const json::json_pointer& at,
               std::vector<json::json_pointer>& leaves) {
  if (!of.is_structured()) return leaves.push_back(at);
  for (const auto& [name, value] : of.items()) {
    of.is_array() ? leaves_of(value, at / std::stoul(name), leaves)
                  : leaves_of(value, at / name, leaves);
  }
}

TEST(load_result_json, names_the_field_that_is_wrong_or_missing) {
  const json good = to_json(full_report());
  std::vector<json::json_pointer> leaves;
  leaves_of(good, json::json_pointer{}, leaves);
  ASSERT_GT(leaves.size(), 100U);
  for (const json::json_pointer& at : leaves) {
    if (at.to_string().find("/percentiles/") != std::string::npos) continue;  // nobody reads them
    if (at.to_string().find("/count") != std::string::npos) continue;         // nor these
    json bad = good;
    bad[at] = json::array({json::object()});
    EXPECT_THROW(report_from_json(bad), bad_json) << at.to_string();
  }
  const auto message = [&](const char* pointer, const json& value) {
    json bad = good;
    bad[json::json_pointer{pointer}] = value;
    try {
      report_from_json(bad);
    } catch (const bad_json& error) {
      return std::string{error.what()};
    }
    return std::string{"nothing wrong"};
  };
  EXPECT_EQ(message("/columns/0/at_rate/0/plan/rate", "fast"),
            "columns[0].at_rate[0].plan.rate is not a number but \"fast\"");
  EXPECT_EQ(message("/columns/0/at_rate/0/plan/port", 65'536),
            "columns[0].at_rate[0].plan.port is not a whole number from 0 to 65535 but 65536");
  EXPECT_EQ(message("/columns/0/at_rate/0/latencies/naive/buckets", json::array({{1, 1}, {1, 1}})),
            "columns[0].at_rate[0].latencies.naive: its buckets, min_us, mean_us and max_us are of "
            "no histogram");
  json without = good;
  without["columns"][1].erase("name");
  try {
    report_from_json(without);
    ADD_FAILURE() << "a column without a name was taken";
  } catch (const bad_json& error) {
    EXPECT_STREQ(error.what(), "columns[1].name is missing");
  }
}

TEST(load_result_json, refuses_files_that_are_something_else) {
  for (const char* text : {"", "[]", "{}", R"({"format": "dwell-load 2"})", "{\"format\": "}) {
    EXPECT_THROW(parse_report(text), bad_json) << text;
  }
}

}  // namespace
}  // namespace load
