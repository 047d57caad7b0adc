// GET /connections, as a client sees it.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/observed_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

/// "hold" holds the loop, "answer" is answered, the rest is taken.
callbacks<> does(loop_stall& stall) {
  return {.on_data = [&stall](connection& peer, no_session&, bytes data) {
    if (data.text() == "hold") stall.hold();
    if (data.text() == "answer") peer.send("yes");
    return data.size();
  }};
}
callbacks<> listens() {
  return {.on_data = [](connection&, no_session&, bytes data) { return data.size(); }};
}

json connections(const observed_server& server, const std::string& query = "") {
  const http_reply reply = server.ask("GET /connections" + query);
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("Content-Type"), "application/json");
  return json::parse(reply.body);
}

std::string peer_of(const raw_client& client) {
  return "127.0.0.1:" + std::to_string(client.local_port());
}

/// The row of that client; null without one.
json row_of(const json& reply, const raw_client& client) {
  for (const json& each : reply["connections"]) {
    if (each["peer"] == peer_of(client)) return each;
  }
  return {};
}

// ── a row ──

TEST(connections, are_none) {
  const observed_server server{{}, listens()};
  EXPECT_EQ(connections(server), json::parse(R"({"matched": 0, "next": null, "partial": false,
                                                 "silent_loops": [], "connections": []})"));
}

TEST(connections, show_what_each_has_done) {
  const observed_server server{
      {.name = "api \xff\"", .deadlines = {.idle = 1h, .handle = off}},
      callbacks<owed>{.on_data = [](connection& peer, owed& self, bytes data) {
        if (data.text() == "late") self = peer.owe();
        if (data.text() == "now") peer.send("done");
        return data.size();
      }}};
  raw_client idle = server.connect();
  raw_client owed = server.connect();
  raw_client half = server.connect();
  idle.send("now");
  EXPECT_EQ(idle.receive(4), "done");
  owed.send("late");
  half.send("late");
  half.shutdown_send();
  json all;
  ASSERT_TRUE(eventually([&] {
    all = connections(server);
    return all["connections"].size() == 3 && row_of(all, half)["state"] == "peer_closed" &&
           row_of(all, owed)["phase"] == "handle" && row_of(all, idle)["phase"] == "idle";
  })) << all;
  EXPECT_EQ(all["matched"], 3);
  const json first = row_of(all, idle);
  EXPECT_THAT(first["id"].get<std::string>(), ::testing::MatchesRegex("0\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(first["service"], "api \xef\xbf\xbd\"");
  EXPECT_EQ(first["state"], "open");
  EXPECT_EQ(first["reason"], nullptr);
  EXPECT_EQ(first["received_bytes"], 3);
  EXPECT_EQ(first["sent_bytes"], 4);
  EXPECT_EQ(first["queued_bytes"], 0);
  EXPECT_EQ(first["exchanges"], 1);
  EXPECT_LE(first["idle_ms"], first["age_ms"]);
  EXPECT_LE(first["deadline_ms"], 3'600'000);
  EXPECT_GE(first["deadline_ms"], 3'000'000);
  EXPECT_EQ(row_of(all, owed)["deadline_ms"], nullptr);
  EXPECT_EQ(row_of(all, half)["reason"], "peer_closed");
}

TEST(connections, show_those_that_are_closing) {
  const observed_server server{
      {.deadlines = {.close = 1h}},
      callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
        peer.close(close_reason::protocol_error);  // lingers
        return data.size();
      }}};
  raw_client client = server.connect();
  client.send("nonsense");
  ASSERT_TRUE(eventually([&] { return connections(server, "?state=closing")["matched"] == 1; }));
  const json row = row_of(connections(server), client);
  EXPECT_EQ(row["phase"], "close");
  EXPECT_EQ(row["reason"], "protocol_error");
}

// ── which, in which order ──

/// 3,000 clients on two loops and two services. The first of each hundred has sent as many bytes
/// as hundreds came before it, and one more.
class crowd {
 public:
  static constexpr std::size_t size = 3'000;
  static constexpr std::size_t talkers = size / 100;

  crowd() {
    server_.start();
    for (std::size_t i = 0; i < size; ++i) {
      clients_.emplace_back(i % 3 == 0 ? many_ : few_);
      if (i % 100 == 0) clients_.back().send(std::string(i / 100 + 1, 'x'));
    }
    const auto all_there = [&] {
      const server_counts now = server_.counts();
      return now.live == size && now.received == talkers * (talkers + 1) / 2;
    };
    EXPECT_TRUE(eventually(all_there));
  }

  json ask(const std::string& query) const {
    const http_reply reply = dwell::ask(admin_.endpoint(), "GET /connections" + query);
    EXPECT_EQ(reply.status, 200) << query << ": " << reply.body;
    return json::parse(reply.body);
  }
  const raw_client& client(std::size_t index) const { return clients_[index]; }

 private:
  server server_{quietly({.threads = 2})};
  endpoint many_ = server_.serve(on_loopback({.name = "many"}), listens());
  endpoint few_ = server_.serve(on_loopback({.name = "few"}), listens());
  admin admin_{server_, on_any_port()};
  std::vector<raw_client> clients_;
};

bool can_open(rlim_t descriptors) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max >= descriptors;
}

class a_crowd : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_open(2 * crowd::size + 200))
      GTEST_SKIP() << "RLIMIT_NOFILE is too low for 3,000 pairs";
    crowd_.emplace();
  }
  std::optional<crowd> crowd_;
};

TEST_F(a_crowd, is_filtered) {
  EXPECT_EQ(crowd_->ask("")["matched"], 3'000);
  EXPECT_EQ(crowd_->ask("?service=many")["matched"], 1'000);
  EXPECT_EQ(crowd_->ask("?service=few")["matched"], 2'000);
  EXPECT_EQ(crowd_->ask("?service=none")["matched"], 0);
  EXPECT_EQ(crowd_->ask("?phase=idle&state=open&min_age=0s&min_idle=0ms")["matched"], 3'000);
  EXPECT_EQ(crowd_->ask("?phase=write")["matched"], 0);
  EXPECT_EQ(crowd_->ask("?state=closing")["matched"], 0);
  EXPECT_EQ(crowd_->ask("?min_age=1h")["matched"], 0);
  EXPECT_EQ(crowd_->ask("?peer=127.0.0.1%3A")["matched"], 3'000);
  EXPECT_EQ(crowd_->ask("?peer=10.")["matched"], 0);
  const json one = crowd_->ask("?peer=" + peer_of(crowd_->client(2'999)));
  EXPECT_FALSE(row_of(one, crowd_->client(2'999)).is_null());
  EXPECT_LE(one["matched"], 11);  // ports that begin alike
}

TEST_F(a_crowd, is_sorted_and_limited) {
  EXPECT_EQ(crowd_->ask("")["connections"].size(), 100U);
  const json most = crowd_->ask("?sort=-received&limit=31")["connections"];
  ASSERT_EQ(most.size(), 31U);
  for (std::size_t i = 0; i < crowd::talkers; ++i) {
    EXPECT_EQ(most[i]["received_bytes"], crowd::talkers - i);
    EXPECT_EQ(most[i]["peer"], peer_of(crowd_->client((crowd::talkers - 1 - i) * 100)));
  }
  EXPECT_EQ(most[crowd::talkers]["received_bytes"], 0);
  const auto expect_sorted = [&](const char* sort, const char* field, bool up) {
    const json rows = crowd_->ask("?limit=1000&sort=" + std::string{sort})["connections"];
    EXPECT_EQ(rows.size(), 1'000U);
    const auto in_order = [&](const json& a, const json& b) {
      return up ? a[field] < b[field] : a[field] > b[field];
    };
    EXPECT_TRUE(std::ranges::is_sorted(rows, in_order)) << sort;
  };
  expect_sorted("received", "received_bytes", true);
  expect_sorted("-received", "received_bytes", false);
  EXPECT_EQ(crowd_->ask("?sort=-age&limit=1")["connections"][0]["age_ms"] >=
                crowd_->ask("?sort=age&limit=1")["connections"][0]["age_ms"],
            true);
}

TEST_F(a_crowd, is_walked_through_and_each_is_met_once) {
  for (const std::string query :
       {"?limit=1000", "?limit=7&sort=-idle&service=many", "?limit=499&sort=received",
        "?limit=1000&sort=-deadline", "?limit=250&sort=id"}) {
    SCOPED_TRACE(query);
    const std::size_t expected = query.find("many") != std::string::npos ? 1'000 : crowd::size;
    const std::size_t limit = std::stoul(query.substr(query.find('=') + 1));
    std::set<std::string> met;
    std::size_t pages = 0;
    std::string cursor;
    do {
      const json page = crowd_->ask(query + cursor);
      ++pages;
      EXPECT_EQ(page["matched"], expected);
      EXPECT_EQ(page["partial"], false);
      EXPECT_LE(page["connections"].size(), limit);
      for (const json& each : page["connections"]) {
        EXPECT_TRUE(met.insert(each["id"]).second) << each << " again";
      }
      cursor = page["next"].is_null() ? "" : "&cursor=" + page["next"].get<std::string>();
    } while (!cursor.empty() && pages < crowd::size);
    EXPECT_EQ(met.size(), expected);
    EXPECT_EQ(pages, (expected + limit - 1) / limit);
  }
}

// ── bad requests ──

TEST(connections, refuse_bad_values_naming_the_parameter_and_the_fix) {
  const observed_server server{{}, listens()};
  const std::map<std::string, std::string> wrong{
      {"limit=0", "limit \"0\": use a whole number, 1 to 1000"},
      {"limit=1001", "limit \"1001\": use a whole number, 1 to 1000"},
      {"sort=size", "sort \"size\": use id, age,"},
      {"phase=%69dles", "phase \"idles\": use handshake, idle,"},
      {"state=CLOSED", "state \"CLOSED\": use open, peer_closed, held, closing"},
      {"min_idle=60", "min_idle \"60\": use a whole number and a unit"},
      {"cursor=abc", "cursor \"abc\": use what \"next\" said"},
      {"limit=5&&limit=5", "limit \"5\": use it once"},
      {"colour", "\"colour\" is no parameter: use service, phase,"},
      {"=5", R"("" is no parameter)"}};
  for (const auto& [query, why] : wrong) {
    const http_reply reply = server.ask("GET /connections?" + query);
    EXPECT_EQ(reply.status, 400) << query;
    EXPECT_THAT(reply.body, HasSubstr(why));
  }
}

// ── loops that do not answer ──

TEST(connections, of_a_loop_that_is_held_are_missing_and_that_is_said) {
  loop_stall stall;
  const observed_server server{{}, does(stall), {.threads = 2}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(40));
  const json before = connections(server);
  ASSERT_EQ(before["connections"].size(), 40U);
  const auto loop_of = [](const json& row) { return row["id"].get<std::string>().front() - '0'; };
  const int held = loop_of(row_of(before, clients.front()));
  const auto elsewhere = std::ranges::count_if(
      before["connections"], [&](const json& each) { return loop_of(each) != held; });
  clients.front().send("hold");
  stall.wait_until_held();

  const auto began = std::chrono::steady_clock::now();
  const json partial = connections(server);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 1s);
  EXPECT_EQ(partial["partial"], true);
  EXPECT_EQ(partial["silent_loops"], json::array({held}));
  EXPECT_EQ(partial["connections"].size(), static_cast<std::size_t>(elsewhere));
  EXPECT_EQ(server.ask("GET /healthz").status, 200);

  stall.let_go();
  json after;
  ASSERT_TRUE(eventually([&] {
    after = connections(server);
    return after["partial"] == false;
  }));
  EXPECT_EQ(after["connections"].size(), 40U);
}

TEST(connections, do_not_keep_the_admin_from_answering_others) {
  loop_stall stall;
  const observed_server server{{}, does(stall)};
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  raw_client waits{server.admin_endpoint()};
  waits.send("GET /connections HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(server.ask("GET /healthz").status, 200);
  EXPECT_TRUE(waits.hears_nothing_for(500ms));
  EXPECT_THAT(waits.receive_to_end().data, HasSubstr("\"silent_loops\": [0]"));
  stall.let_go();
}

TEST(connections, that_nobody_waits_for_any_more_do_not_pile_up) {
  loop_stall stall;
  const observed_server server{{}, does(stall)};
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  for (int i = 0; i < 64; ++i) {
    raw_client leaves{server.admin_endpoint()};
    leaves.send("GET /connections HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_TRUE(leaves.hears_nothing_for(5ms)) << i;
    leaves.reset();
  }
  EXPECT_TRUE(eventually([&] { return server.ask("GET /connections").status == 503; }));
  EXPECT_THAT(server.ask("GET /connections").body, HasSubstr("has yet to answer"));
  stall.let_go();
  EXPECT_TRUE(eventually([&] { return server.ask("GET /connections").status == 200; }));
}

TEST(connections, may_be_asked_for_when_the_admin_goes) {
  loop_stall stall;
  running_server observed{{}, does(stall)};
  raw_client client = observed.connect();
  client.send("hold");
  stall.wait_until_held();
  {
    const admin goes{*observed, on_any_port()};
    raw_client asks{goes.endpoint()};
    asks.send("GET /connections HTTP/1.1\r\nHost: test\r\n\r\n");
    EXPECT_TRUE(asks.hears_nothing_for(50ms));
  }
  stall.let_go();  // and now the loop answers
  client.send("answer");
  EXPECT_EQ(client.receive(3), "yes");
}

TEST(connections, of_a_server_that_drains_are_whole_although_other_loops_have_ended) {
  observed_server server{{.deadlines = {.handle = off}},
                         callbacks<owed>{.on_data =
                                             [](connection& peer, owed& self, bytes data) {
                                               self = peer.owe();
                                               return data.size();
                                             }},
                         {.threads = 4, .drain = {.deadline = 1h}}};
  raw_client stays = server.connect();
  stays.send("wait for it");
  ASSERT_TRUE(eventually([&] { return connections(server, "?phase=handle")["matched"] == 1; }));
  server->drain();
  json draining;
  const auto answered_at_once = [&] {
    const auto began = std::chrono::steady_clock::now();
    draining = connections(server);
    return std::chrono::steady_clock::now() - began < 1s && draining["partial"] == false;
  };
  EXPECT_TRUE(eventually([&] { return server.ask("GET /readyz").status == 503; }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(answered_at_once()) << draining;
  EXPECT_EQ(draining["matched"], 1);
}

}  // namespace
}  // namespace dwell
