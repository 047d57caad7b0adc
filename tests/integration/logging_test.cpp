// What is logged, to whom, and how much of it.

#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/registry.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ringbuffer_sink.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

/// A logger whose lines the test reads: "level text".
struct heard {
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(10'000);
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("test", sink);

  explicit heard(spdlog::level::level_enum level = spdlog::level::info) {
    sink->set_pattern("%l %v");
    logger->set_level(level);
  }
  std::vector<std::string> lines() const { return sink->last_formatted(); }
  std::size_t count(const std::string& text) const {
    std::size_t found = 0;
    for (const std::string& each : lines()) {
      if (each.find(text) != std::string::npos) ++found;
    }
    return found;
  }
  bool wait_for(const std::string& text) const {
    return eventually([&] { return count(text) != 0; });
  }
};

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

TEST(logging, one_cause_is_rate_limited_and_counted) {
  heard log;
  running_server server{{.name = "flaky"},
                        callbacks<>{.on_data = [](connection&, no_session&, bytes) -> std::size_t {
                          throw std::runtime_error{"on purpose"};
                        }},
                        {.logger = log.logger}};
  const auto fail_once = [&] {
    raw_client client = server.connect();
    client.send("go");
    static_cast<void>(client.receive_to_end());
  };
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 300; ++i) fail_once();
  ASSERT_TRUE(server.records().wait_for(300));
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began)
          .count() +
      2;
  EXPECT_GE(log.count("on purpose"), 1U);
  EXPECT_LE(log.count("on purpose"), static_cast<std::size_t>(10 * seconds));
  EXPECT_LE(log.count("handler_failed"), static_cast<std::size_t>(10 * seconds));
  EXPECT_THAT(log.lines(),
              Contains(AllOf(HasSubstr("warning"), HasSubstr("flaky"), HasSubstr("on purpose"))));
  std::this_thread::sleep_for(1100ms);
  fail_once();  // the next line says how many were left out
  EXPECT_TRUE(log.wait_for("more like it"));
}

TEST(logging, ordinary_ends_are_debug_deadlines_info) {
  for (const auto level : {spdlog::level::info, spdlog::level::debug}) {
    heard log{level};
    running_server server{
        {.name = "echo", .deadlines = {.idle = 100ms}}, echo, {.logger = log.logger}};
    raw_client leaves = server.connect();
    leaves.send("hello");
    EXPECT_EQ(leaves.receive(5), "hello");
    leaves.close();
    raw_client idles = server.connect();
    EXPECT_EQ(idles.receive_to_end().error, 0);
    idles.close();
    EXPECT_TRUE(log.wait_for("idle_timeout"));
    EXPECT_EQ(log.count("peer_closed"), level == spdlog::level::debug ? 1U : 0U);
    EXPECT_THAT(log.lines(), Contains(AllOf(HasSubstr("info"), HasSubstr("echo"),
                                            HasSubstr("127.0.0.1:"), HasSubstr("idle_timeout"),
                                            HasSubstr("graceful"), HasSubstr("TIME_WAIT here"))));
  }
}

TEST(logging, says_when_a_drain_begins_and_ends) {
  heard log;
  running_server server{{}, echo, {.threads = 2, .logger = log.logger}};
  server->drain();
  server->wait();
  EXPECT_EQ(log.count("draining"), 1U);
  EXPECT_EQ(log.count("ended"), 1U);
}

TEST(logging, says_when_the_descriptor_limit_cuts_the_connections) {
  in_child([] {
    const rlimit few{.rlim_cur = 500, .rlim_max = 500};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    heard log;
    server cut{{.connections = 10'000, .logger = log.logger}};
    EXPECT_THAT(log.lines(),
                Contains(AllOf(HasSubstr("10000"), HasSubstr("RLIMIT_NOFILE"), HasSubstr("500"))));
    heard silent;
    server as_many_as_possible{{.logger = silent.logger}};
    EXPECT_THAT(silent.lines(), ::testing::IsEmpty());
  });
}

TEST(logging, leaves_the_registry_alone) {
  std::vector<std::string> before;
  spdlog::details::registry::instance().apply_all(
      [&](const std::shared_ptr<spdlog::logger>& each) { before.push_back(each->name()); });
  {
    server own_logger;
    own_logger.serve(on_loopback(), echo);
    own_logger.start();
    std::vector<std::string> now;
    spdlog::details::registry::instance().apply_all(
        [&](const std::shared_ptr<spdlog::logger>& each) { now.push_back(each->name()); });
    EXPECT_EQ(now, before);
  }
}

// The user's logger may be full, stuck or throw; connections do not care.
TEST(logging, a_logger_that_throws_costs_nothing) {
  class broken final : public spdlog::sinks::sink {
   public:
    void log(const spdlog::details::log_msg&) override { throw std::runtime_error{"disk full"}; }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
  };
  auto logger = std::make_shared<spdlog::logger>("broken", std::make_shared<broken>());
  logger->set_level(spdlog::level::debug);
  logger->set_error_handler([](const std::string&) {});
  running_server server{{.mode = connection_mode::short_lived}, echo, {.logger = logger}};
  for (int i = 0; i < 20; ++i) {
    raw_client client = server.connect();
    client.send("hello");
    EXPECT_EQ(client.receive_to_end().data, "hello");
  }
}

}  // namespace
}  // namespace dwell
