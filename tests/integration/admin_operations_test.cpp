// What changes a server that runs: POST /close, /log and /limits, as a client sees them.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/observed_server.hpp"
#include "support/two_networks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

/// Echoes, but holds the loop when it is told to.
callbacks<> holds(loop_stall& stall) {
  return {.on_data = [&stall](connection& peer, no_session&, bytes data) {
    if (data.text() == "hold") stall.hold();
    peer.send(data);
    return data.size();
  }};
}

json asked(const observed_server& server, const std::string& what, const std::string& fields = "") {
  const http_reply reply = server.ask(what, fields);
  EXPECT_EQ(reply.status, 200) << what << ": " << reply.body;
  EXPECT_EQ(reply.headers.at("Content-Type"), "application/json") << what;
  return json::parse(reply.body);
}

std::uint64_t closed(const observed_server& server, const std::string& query) {
  const json reply = asked(server, "POST /close?" + query);
  EXPECT_EQ(reply["partial"], false);
  return reply["closed"];
}

std::string peer_of(const raw_client& client) {
  return "127.0.0.1:" + std::to_string(client.local_port());
}

std::string id_of(const observed_server& server, const raw_client& client) {
  const json reply = asked(server, "GET /connections?peer=" + peer_of(client));
  EXPECT_EQ(reply["matched"], 1);
  return reply["connections"][0]["id"];
}

raw_client talker(const observed_server& server) {
  raw_client made = server.connect();
  made.send("hello");
  EXPECT_EQ(made.receive(5), "hello");
  return made;
}

bool is_served(raw_client& client) {
  client.send("still");
  return client.receive(5) == "still";
}

// ── close ──

TEST(admin_close, closes_the_one_with_that_id) {
  observed_server server{{}, echo};
  raw_client leaves = talker(server);
  raw_client stays = talker(server);
  const std::string id = id_of(server, leaves);
  EXPECT_EQ(closed(server, "id=" + id), 1);
  EXPECT_EQ(leaves.receive_to_end().error, 0);
  leaves.close();
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::drain);
  EXPECT_EQ(record.done, close_method::graceful);
  EXPECT_EQ(record.first, first_closer::here);
  EXPECT_EQ(closed(server, "id=" + id), 0) << "it has gone";
  EXPECT_TRUE(is_served(stays));
  EXPECT_EQ(server->stage(), server_stage::running);
}

TEST(admin_close, of_an_id_that_was_used_again_closes_nobody) {
  const observed_server server{{}, echo};
  raw_client first = talker(server);
  const std::string id = id_of(server, first);
  first.close();
  ASSERT_TRUE(server.wait_for_live(0));
  raw_client second = talker(server);
  const std::string next = id_of(server, second);
  ASSERT_EQ(next.substr(0, next.rfind('.')), id.substr(0, id.rfind('.'))) << "not the same slot";
  EXPECT_EQ(closed(server, "id=" + id), 0);
  EXPECT_TRUE(is_served(second));
}

TEST(admin_close, closes_nobody_where_there_is_no_such_loop) {
  const observed_server server{{}, echo};
  raw_client stays = talker(server);
  for (const char* id : {"1.0.1", "4294967295.0.1", "0.4294967295.1", "0.0.0"}) {
    EXPECT_EQ(closed(server, std::string{"id="} + id), 0) << id;
  }
  EXPECT_TRUE(is_served(stays));
}

TEST(admin_close, closes_those_whom_the_filters_take) {
  const observed_server server{{}, echo, {.threads = 2}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(talker(server));
  EXPECT_EQ(closed(server, "service=other"), 0);
  EXPECT_EQ(closed(server, "min_idle=1h"), 0);
  EXPECT_EQ(closed(server, "peer=10."), 0);
  EXPECT_EQ(closed(server, "phase=write"), 0);
  EXPECT_EQ(closed(server, "state=held"), 0);
  EXPECT_EQ(closed(server, "peer=" + peer_of(clients[3])), 1);
  EXPECT_EQ(clients[3].receive_to_end().error, 0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i != 3) {
      EXPECT_TRUE(is_served(clients[i])) << i;
    }
  }
  EXPECT_EQ(closed(server, "service=default&phase=idle&min_age=0s&peer=127."), 9);
  EXPECT_TRUE(server.records().wait_for(1));
  EXPECT_TRUE(
      eventually([&] { return server->counts().live == 0 || closed(server, "peer=1") == 0; }));
}

TEST(admin_close, goes_the_way_it_is_told_to) {
  const std::map<std::string, std::pair<close_method, int>> ways{
      {"graceful", {close_method::graceful, 0}},
      {"abort_after_fin", {close_method::abort_after_fin, 0}},
      {"abort", {close_method::abort, ECONNRESET}}};
  for (const auto& [name, expected] : ways) {
    const observed_server server{{}, echo};
    raw_client leaves = talker(server);
    EXPECT_EQ(closed(server, "peer=127.&method=" + name), 1);
    EXPECT_EQ(leaves.receive_to_end().error, expected.second) << name;
    leaves.close();
    EXPECT_EQ(server.records().only().done, expected.first);
  }
}

TEST(admin_close, follows_the_services_plan_unless_told_otherwise) {
  const observed_server server{{.close = {.drain = close_method::abort}}, echo};
  raw_client leaves = talker(server);
  EXPECT_EQ(closed(server, "peer=127."), 1);
  EXPECT_EQ(leaves.receive_to_end().error, ECONNRESET);
}

TEST(admin_close, leaves_those_alone_whose_end_is_decided) {
  const observed_server server{
      {.deadlines = {.close = 1h}},
      callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
        peer.close(close_reason::protocol_error);
        return data.size();
      }}};
  raw_client lingers = server.connect();
  lingers.send("x");
  EXPECT_EQ(lingers.receive_to_end().error, 0);
  EXPECT_EQ(closed(server, "peer=127.&method=abort"), 0);
  lingers.close();
  EXPECT_EQ(server.records().only().reason, close_reason::protocol_error);
}

TEST(admin_close, refuses_what_it_cannot_read_and_closes_nobody) {
  const observed_server server{{}, echo};
  raw_client stays = talker(server);
  const std::map<std::string, std::string> complaints{
      {"", "whom? Use id"},
      {"?", "whom? Use id"},
      {"?method=abort", "whom? Use id"},
      {"?id=", "loop.slot.generation"},
      {"?id=0.0", "loop.slot.generation"},
      {"?id=0.0.1.2", "loop.slot.generation"},
      {"?id=0.0.-1", "loop.slot.generation"},
      {"?id=0.0.1&peer=127.", "id and peer: use one"},
      {"?peer=", "every address begins so"},
      {"?peer=127.&peer=128.", "use it once"},
      {"?id=0.0.1&id=0.0.1", "use it once"},
      {"?min_idle=5", "a whole number and a unit"},
      {"?phase=sleepy", "use handshake, idle"},
      {"?peer=127.&method=kill", "use graceful, peer_first, abort_after_fin, abort"},
      {"?limit=1", "is no parameter"},
      {"?sort=id", "is no parameter"},
      {"?peer=127.&cursor=x", "is no parameter"},
      {"?everybody=yes", "is no parameter"},
  };
  for (const auto& [query, complaint] : complaints) {
    const http_reply refused = server.ask("POST /close" + query);
    EXPECT_EQ(refused.status, 400) << query;
    EXPECT_THAT(refused.body, HasSubstr(complaint)) << query;
  }
  EXPECT_EQ(server.ask("GET /close?peer=127.").status, 405);
  EXPECT_TRUE(is_served(stays));
}

TEST(admin_close, says_which_loop_has_not_answered_and_that_closes_nobody_later) {
  loop_stall stall;
  observed_server server{{}, holds(stall)};
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  const json reply = asked(server, "POST /close?peer=127.");
  EXPECT_EQ(reply, json::parse(R"({"closed": 0, "partial": true, "silent_loops": [0]})"));
  stall.let_go();
  EXPECT_EQ(client.receive(4), "hold");
  EXPECT_EQ(closed(server, "peer=10."), 0) << "it walks again";
  EXPECT_TRUE(is_served(client));
}

TEST(admin_close, has_nobody_to_close_before_and_after) {
  server observed{quietly()};
  observed.serve(on_loopback(), echo);
  const admin shows{observed, on_any_port()};
  for (const char* each : {"POST /close?peer=1", "POST /close?id=0.0.1"}) {
    EXPECT_EQ(json::parse(ask(shows.endpoint(), each).body)["closed"], 0);
  }
  observed.start();
  observed.stop();
  observed.wait();
  for (const char* each : {"POST /close?peer=1", "POST /close?id=0.0.1"}) {
    EXPECT_EQ(json::parse(ask(shows.endpoint(), each).body)["closed"], 0);
  }
}

// ── log ──

/// A logger whose lines a test reads.
struct kept_log {
  std::shared_ptr<std::ostringstream> lines = std::make_shared<std::ostringstream>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>(
      "kept", std::make_shared<spdlog::sinks::ostream_sink_mt>(*lines, true));
};

TEST(admin_log, shows_and_sets_the_level) {
  kept_log log;
  const observed_server server{{}, echo, {.logger = log.logger}};
  const auto level = [&] { return asked(server, "GET /log"); };
  EXPECT_EQ(level(), json::parse(R"({"level": "info", "back_to": null, "back_in_ms": null})"));
  for (const char* each : {"trace", "debug", "info", "warn", "error", "critical", "off"}) {
    EXPECT_EQ(asked(server, std::string{"POST /log?level="} + each)["level"], each);
    EXPECT_EQ(level()["level"], each);
    EXPECT_EQ(log.logger->level(), spdlog::level::from_str(each));
  }
}

TEST(admin_log, goes_back_after_a_while) {
  kept_log log;
  const observed_server server{{}, echo, {.logger = log.logger}};
  json now = asked(server, "POST /log?level=debug&for=1h");
  EXPECT_EQ(now["level"], "debug");
  EXPECT_EQ(now["back_to"], "info");
  EXPECT_LE(now["back_in_ms"], 3'600'000);
  EXPECT_GT(now["back_in_ms"], 3'500'000);
  now = asked(server, "POST /log?level=trace&for=50ms");
  EXPECT_EQ(now["back_to"], "info") << "not to what was for a while, too";
  EXPECT_TRUE(eventually([&] { return log.logger->level() == spdlog::level::info; }));
  EXPECT_EQ(asked(server, "GET /log")["back_to"], nullptr);
}

TEST(admin_log, for_good_is_not_ended_by_an_earlier_while) {
  kept_log log;
  const observed_server server{{}, echo, {.logger = log.logger}};
  asked(server, "POST /log?level=debug&for=10ms");
  asked(server, "POST /log?level=warn");
  asked(server, "POST /log?level=trace&for=300ms");
  EXPECT_TRUE(eventually([&] { return log.logger->level() != spdlog::level::trace; }));
  EXPECT_EQ(log.logger->level(), spdlog::level::warn);
}

TEST(admin_log, goes_back_with_the_admin) {
  kept_log log;
  running_server observed{{}, echo, {.logger = log.logger}};
  {
    const admin goes{*observed, on_any_port()};
    EXPECT_EQ(ask(goes.endpoint(), "POST /log?level=debug&for=1h").status, 200);
    EXPECT_EQ(log.logger->level(), spdlog::level::debug);
  }
  EXPECT_EQ(log.logger->level(), spdlog::level::info);
}

TEST(admin_log, refuses_what_it_cannot_read) {
  kept_log log;
  const observed_server server{{}, echo, {.logger = log.logger}};
  const std::map<std::string, std::string> complaints{
      {"", "which? Use level"},
      {"?level=", "use trace, debug"},
      {"?level=loud", "use trace, debug, info, warn, error, critical, off"},
      {"?level=7", "use trace, debug"},
      {"?for=5min", "which? Use level"},
      {"?level=debug&for=0ms", "1ms to 24h"},
      {"?level=debug&for=25h", "1ms to 24h"},
      {"?level=debug&for=5", "a whole number and a unit"},
      {"?level=debug&level=info", "use it once"},
      {"?lvl=debug", "is no parameter"},
  };
  for (const auto& [query, complaint] : complaints) {
    const http_reply refused = server.ask("POST /log" + query);
    EXPECT_EQ(refused.status, 400) << query;
    EXPECT_THAT(refused.body, HasSubstr(complaint)) << query;
  }
  EXPECT_EQ(log.logger->level(), spdlog::level::info);
}

TEST(admin, says_in_the_log_who_has_changed_what) {
  kept_log log;
  {
    const observed_server server{{}, echo, {.logger = log.logger}, {.token = "secret"}};
    const raw_client client = talker(server);
    EXPECT_EQ(closed(server, "peer=127.%0a[fake]%20line"), 0);
    asked(server, "POST /limits?connections=17", "Authorization: Bearer secret\r\n");
    asked(server, "POST /log?level=error");
    asked(server, "POST /close?peer=127.");
    asked(server, "POST /log?level=info");
    server.ask("POST /close?peer=127.", "Origin: http://evil.example\r\n");
    server.ask("POST /drain");
  }
  const std::string lines = log.lines->str();
  for (const char* each :
       {"0 connections closed; asked by 127.0.0.1:", "(this machine): POST /close?peer=127.%0a",
        "at most 17 connections; asked by 127.0.0.1:", "(the token): POST /limits?connections=17",
        "POST /log?level=error", "POST /log?level=info", "drain; asked by"}) {
    EXPECT_THAT(lines, HasSubstr(each));
  }
  EXPECT_THAT(lines, AllOf(Not(HasSubstr("\n[fake]")), Not(HasSubstr("secret")),
                           Not(HasSubstr("1 connections closed"))));
}

// ── limits ──

TEST(admin_limits, are_shown_and_set) {
  observed_server server{{}, echo, {.connections = 50}};
  const raw_client client = talker(server);
  EXPECT_EQ(asked(server, "GET /limits"), json::parse(R"({"connections": 50, "open": 1})"));
  EXPECT_EQ(asked(server, "POST /limits?connections=7")["connections"], 7);
  EXPECT_EQ(server->capacity(), 7);
  EXPECT_THAT(server.ask("GET /metrics").body, HasSubstr("\ndwell_connections_limit 7\n"));
  for (const char* query : {"", "?connections=", "?connections=0", "?connections=-1",
                            "?connections=1e3", "?connections=5&connections=6", "?idle=5s"}) {
    EXPECT_EQ(server.ask(std::string{"POST /limits"} + query).status, 400) << query;
  }
  EXPECT_EQ(server->capacity(), 7);
}

TEST(admin_limits, are_cut_to_what_descriptors_allow) {
  observed_server server{{}, echo};
  const std::uint64_t possible = server->capacity();
  asked(server, "POST /limits?connections=5");
  EXPECT_EQ(asked(server, "POST /limits?connections=18446744073709551615")["connections"],
            possible);
}

// ── who may ──

TEST(admin_operations, have_one_rule_who_may) {
  observed_server server{{}, echo, {}, {.token = "correct-horse"}};
  const std::uint64_t limit = server->capacity();
  raw_client stays = talker(server);
  const std::string own = "http://" + to_string(server.admin_endpoint());
  for (const char* change : {"POST /drain", "POST /close?peer=127.", "POST /log?level=off",
                             "POST /limits?connections=3"}) {
    for (const std::string& fields :
         {std::string{"Origin: http://evil.example\r\n"}, std::string{"Origin: null\r\n"},
          "Origin: " + own + "\r\n", std::string{"X-Forwarded-For: 10.0.0.1\r\n"},
          std::string{"Forwarded: for=10.0.0.1\r\n"},
          std::string{"Origin: http://test\r\nDwell-Page: 0\r\n"},
          std::string{"Origin: http://evil.example\r\nAuthorization: Bearer wrong\r\n"}}) {
      EXPECT_EQ(server.ask(change, fields).status, 403) << change << ' ' << fields;
    }
  }
  EXPECT_EQ(server->stage(), server_stage::running);
  EXPECT_EQ(server->capacity(), limit);
  EXPECT_TRUE(is_served(stays));
  const std::string with_token =
      "Origin: http://us.example\r\nAuthorization: Bearer correct-horse\r\n";
  EXPECT_EQ(asked(server, "POST /close?peer=127.", with_token)["closed"], 1);
}

TEST(admin_operations, from_elsewhere_need_the_token) {
  in_two_networks([](two_networks& networks) {
    observed_server server{{.listen = {two_networks::server_address}},
                           echo,
                           {},
                           {.listen = {two_networks::server_address}, .token = "secret"}};
    networks.on_client_side([&] {
      for (const char* change :
           {"POST /close?min_age=0s", "POST /log?level=info", "POST /limits?connections=3"}) {
        EXPECT_EQ(server.ask(change).status, 403) << change;
        EXPECT_EQ(server.ask(change, "Authorization: Bearer secret\r\n").status, 200) << change;
      }
      EXPECT_EQ(server.ask("GET /log").status, 200);
      EXPECT_EQ(server.ask("GET /limits").status, 200);
    });
    EXPECT_EQ(server->capacity(), 3);
  });
}

}  // namespace
}  // namespace dwell
