// The admin endpoints but /connections, as a client sees them.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/observed_server.hpp"
#include "support/two_networks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

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

/// The samples of a page in Prometheus' text format, by name and labels.
std::map<std::string, double> samples(const std::string& page) {
  std::map<std::string, double> found;
  std::istringstream lines{page};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    EXPECT_TRUE(found.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second)
        << line << " stands there twice";
  }
  return found;
}
std::map<std::string, double> metrics(const observed_server& server) {
  return samples(server.ask("GET /metrics").body);
}

/// The series of the service whose name nobody has chosen.
std::string of_default(const std::string& metric, const std::string& more_labels = "") {
  return metric + "{service=\"default\"" + more_labels + '}';
}

// ── what is there ──

TEST(admin, lists_what_is_there) {
  const observed_server server{{}, echo};
  const http_reply index = server.ask("GET /");
  EXPECT_EQ(index.status, 200);
  for (const char* each : {"/connections", "/status", "/kernel", "/metrics", "/healthz", "/readyz",
                           "/log", "/limits", "/close", "/drain"}) {
    EXPECT_THAT(index.body, HasSubstr(each));
    EXPECT_NE(server.ask("GET " + std::string{each}).status, 404) << each;
  }
  EXPECT_EQ(server.ask("GET /other").status, 404);
}

TEST(admin, says_that_nothing_may_be_kept) {
  const observed_server server{{}, echo};
  for (const char* each : {"/", "/connections", "/status", "/kernel", "/metrics", "/healthz",
                           "/readyz", "/log", "/limits"}) {
    EXPECT_EQ(server.ask("GET " + std::string{each}).headers["Cache-Control"], "no-store") << each;
  }
}

TEST(admin, refuses_what_it_cannot_do_at_construction) {
  const observed_server server{{}, echo};
  running_server other{{}, echo};
  EXPECT_THROW((admin{*other, {.listen = server.admin_endpoint()}}), std::system_error);
  EXPECT_THROW((admin{*other, on_any_port({.token = "two words"})}), std::invalid_argument);
  EXPECT_THROW((admin{*other, on_any_port({.collectables = {nullptr}})}), std::invalid_argument);
}

TEST(admin, goes_without_cutting_anybody_off) {
  running_server observed{{}, echo};
  std::optional<admin> goes;
  goes.emplace(*observed, on_any_port());
  raw_client stays{goes->endpoint()};
  stays.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_THAT(stays.receive_some(), HasSubstr("ok"));
  goes.reset();
  EXPECT_EQ(stays.receive_to_end().error, 0);
}

// ── health and readiness ──

TEST(readyz, follows_the_server_through_its_life) {
  server observed{quietly({.drain = {.delay = 1h}})};
  const endpoint where = observed.serve(on_loopback(), echo);
  const admin shows{observed, on_any_port()};
  const auto expect = [&](int status, const char* why) {
    const http_reply ready = ask(shows.endpoint(), "GET /readyz");
    EXPECT_EQ(ready.status, status);
    EXPECT_EQ(ready.body, why);
    EXPECT_EQ(samples(ask(shows.endpoint(), "GET /metrics").body)["dwell_ready"], status == 200);
    EXPECT_EQ(ask(shows.endpoint(), "GET /healthz").status, 200);
    EXPECT_EQ(ask(shows.endpoint(), "GET /connections").status, 200);
  };
  expect(503, "the server does not run yet\n");
  EXPECT_EQ(ask(shows.endpoint(), "POST /drain").status, 409);
  observed.start();
  expect(200, "ready\n");
  observed.drain();
  expect(503, "the server is draining\n");
  raw_client still_let_in{where};
  observed.stop();
  observed.wait();
  expect(503, "the server has ended\n");
  EXPECT_EQ(ask(shows.endpoint(), "POST /drain").status, 200);
}

TEST(admin, answers_while_the_loop_is_held) {
  loop_stall stall;
  const observed_server server{{}, holds(stall)};
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  const auto median_of = [&](const char* what) {
    std::vector<std::chrono::steady_clock::duration> took;
    for (int i = 0; i < 11; ++i) {
      const auto before = std::chrono::steady_clock::now();
      EXPECT_EQ(server.ask(what).status, 200);
      took.push_back(std::chrono::steady_clock::now() - before);
    }
    std::ranges::sort(took);
    return took[took.size() / 2];
  };
  const auto end = std::chrono::steady_clock::now() + 2s;
  do {
    EXPECT_LT(median_of("GET /healthz"), 100ms);
    EXPECT_LT(median_of("GET /readyz"), 100ms);
    EXPECT_LT(median_of("GET /metrics"), 100ms);
  } while (std::chrono::steady_clock::now() < end);
  EXPECT_GE(metrics(server)["dwell_loop_longest_turn_seconds"], 1.9);
  stall.let_go();
  EXPECT_EQ(client.receive(4), "hold");
  EXPECT_TRUE(eventually([&] { return metrics(server)["dwell_loop_longest_turn_seconds"] < 1.9; }));
  EXPECT_EQ(metrics(server)["dwell_loop_turn_seconds_bucket{le=\"10\"}"] -
                metrics(server)["dwell_loop_turn_seconds_bucket{le=\"1\"}"],
            1);
  EXPECT_GE(metrics(server)["dwell_loop_turn_seconds_sum"], 1.9);
}

// ── metrics ──

TEST(metrics, agree_with_what_was_done) {
  const observed_server server{{.deadlines = {.idle = 500ms}}, echo, {.connections = 20}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 7; ++i) {
    clients.push_back(server.connect());
    clients.back().send("hello");
    EXPECT_EQ(clients.back().receive(5), "hello");
  }
  auto now = metrics(server);
  EXPECT_EQ(now[of_default("dwell_connections")], 7);
  EXPECT_EQ(now["dwell_connections_limit"], 20);
  EXPECT_EQ(now[of_default("dwell_connections_opened_total")], 7);
  EXPECT_EQ(now[of_default("dwell_received_bytes_total")], 35);
  EXPECT_EQ(now[of_default("dwell_sent_bytes_total")], 35);
  EXPECT_EQ(now["dwell_loops"], 1);
  for (int i = 0; i < 3; ++i) clients[static_cast<std::size_t>(i)].close();
  clients[3].reset();
  for (std::size_t i = 4; i < 7; ++i) {  // the other three at the deadline
    EXPECT_EQ(clients[i].receive_to_end().error, 0);
    clients[i].close();
  }
  ASSERT_TRUE(server.records().wait_for(7));
  now = metrics(server);
  EXPECT_EQ(now[of_default("dwell_connections")], 0);
  EXPECT_EQ(now[of_default("dwell_connections_opened_total")], 7);
  EXPECT_EQ(now[of_default("dwell_connections_closed_total", ",reason=\"peer_closed\"")], 3);
  EXPECT_EQ(now[of_default("dwell_connections_closed_total", ",reason=\"peer_reset\"")], 1);
  EXPECT_EQ(now[of_default("dwell_connections_closed_total", ",reason=\"idle_timeout\"")], 3);
  EXPECT_EQ(now[of_default("dwell_connections_closed_total", ",reason=\"finished\"")], 0);
  EXPECT_EQ(now[of_default("dwell_time_wait_total", ",place=\"here\"")], 3);
  EXPECT_EQ(now[of_default("dwell_time_wait_total", ",place=\"there\"")], 3);
  EXPECT_EQ(now[of_default("dwell_time_wait_total", ",place=\"nowhere\"")], 1);
  EXPECT_EQ(now[of_default("dwell_exchanges_total")], 7);
}

TEST(metrics, count_those_for_whom_there_was_no_room) {
  const observed_server server{{}, echo, {.connections = 1, .full = when_full::refuse}};
  const raw_client first = server.connect();
  ASSERT_TRUE(server.wait_for_live(1));
  raw_client second = server.connect();
  EXPECT_TRUE(second.hears_something());
  EXPECT_EQ(metrics(server)[of_default("dwell_connections_refused_total")], 1);
}

TEST(metrics, have_help_and_type_each_and_only_grow) {
  const observed_server server{{}, echo};
  const std::string page = server.ask("GET /metrics").body;
  std::map<std::string, std::string> type;
  std::istringstream lines{page};
  std::string helped;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string hash, what, name, rest;
    words >> hash >> what >> name >> rest;
    if (what == "HELP") helped = name;
    if (what == "TYPE") {
      EXPECT_EQ(helped, name);
      type[name] = rest;
    }
  }
  const auto before = samples(page);
  raw_client client = server.connect();
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  const auto after = metrics(server);
  for (const auto& [sample, value] : before) {
    std::string name = sample.substr(0, sample.find('{'));
    for (const char* part : {"_bucket", "_sum", "_count"}) {
      if (name.ends_with(part)) name.resize(name.size() - std::string{part}.size());
    }
    ASSERT_TRUE(type.contains(name)) << sample;
    ASSERT_TRUE(after.contains(sample)) << sample;
    if (type[name] != "gauge") {
      EXPECT_GE(after.at(sample), value) << sample;
    }
    EXPECT_EQ(type[name] == "counter", name.ends_with("_total")) << name;
  }
  EXPECT_EQ(after.size(), before.size());
}

TEST(metrics, please_promtool) {
  if (std::system("command -v promtool >/dev/null") != 0) {
    GTEST_SKIP() << "no promtool here: install Debian's prometheus";
  }
  const observed_server server{{}, echo};
  const http_reply page = server.ask("GET /metrics");
  EXPECT_EQ(page.headers.at("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  std::FILE* const tool = ::popen("promtool check metrics >&2", "w");
  ASSERT_NE(tool, nullptr);
  EXPECT_EQ(std::fwrite(page.body.data(), 1, page.body.size(), tool), page.body.size());
  EXPECT_EQ(::pclose(tool), 0);
}

TEST(metrics, tell_services_apart) {
  server observed{quietly()};
  const endpoint echoes = observed.serve(on_loopback({.name = "echo"}), echo);
  const endpoint same = observed.serve(on_loopback({.name = "echo"}), echo);
  observed.serve(on_loopback({.name = "odd \xff\""}), echo);
  const admin shows{observed, on_any_port()};
  observed.start();
  for (const endpoint& each : {echoes, same}) {
    raw_client client{each};
    client.send("hello");
    EXPECT_EQ(client.receive(5), "hello");
  }
  auto now = samples(ask(shows.endpoint(), "GET /metrics").body);
  EXPECT_EQ(now["dwell_received_bytes_total{service=\"echo\"}"], 10) << "two of one name";
  EXPECT_TRUE(now.contains("dwell_received_bytes_total{service=\"odd \xef\xbf\xbd\\\"\"}"));
}

TEST(metrics, refuse_what_they_do_not_know) {
  const observed_server server{{}, echo};
  const http_reply refused = server.ask("GET /metrics?kernel=all");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("use full"));
}

TEST(metrics, show_the_users_own) {
  const auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter()
      .Name("jobs_total")
      .Help("Jobs.")
      .Register(*registry)
      .Add({})
      .Increment(3);
  const observed_server server{{}, echo, {}, {.collectables = {registry}}};
  const auto all = metrics(server);
  EXPECT_EQ(all.at("jobs_total"), 3);
  EXPECT_TRUE(all.contains(of_default("dwell_connections")));
}

// ── drain ──

TEST(admin_drain, drains_the_server_and_the_admin_stays) {
  const observed_server server{{}, echo, {.drain = {.first_request = 0s}}};
  raw_client idle = server.connect();
  ASSERT_TRUE(server.wait_for_live(1));
  EXPECT_EQ(server.ask("GET /drain").body,
            "{\"step\":\"none\",\"connections\":1,\"at_start\":0,\"crossed\":0,\"aborted\":0,"
            "\"elapsed_ms\":0,\"left_ms\":null}\n");
  EXPECT_EQ(metrics(server)["dwell_drain_step{step=\"none\"}"], 1);
  EXPECT_EQ(server.ask("GET /readyz").status, 200);
  const http_reply drained = server.ask("POST /drain");
  EXPECT_EQ(drained.status, 202);
  EXPECT_EQ(drained.body, "draining\n");
  EXPECT_EQ(idle.receive_to_end().error, 0);
  idle.close();
  EXPECT_TRUE(
      eventually([&] { return server.ask("GET /readyz").body == "the server has ended\n"; }));
  EXPECT_EQ(server.records().only().reason, close_reason::drain);
  EXPECT_THAT(server.ask("GET /drain").body,
              HasSubstr("{\"step\":\"ended\",\"connections\":0,\"at_start\":1,"));
  EXPECT_EQ(metrics(server)["dwell_drain_step{step=\"ended\"}"], 1);
  EXPECT_EQ(server.ask("GET /healthz").status, 200);
  EXPECT_EQ(metrics(server)[of_default("dwell_connections_closed_total", ",reason=\"drain\"")], 1);
}

TEST(admin_drain, is_not_for_web_pages_and_proxies_on_this_machine) {
  const observed_server server{{}, echo, {}, {.token = "correct-horse"}};
  for (const char* field : {"Origin: http://evil.example\r\n", "X-Forwarded-For: 10.0.0.1\r\n",
                            "Forwarded: for=10.0.0.1\r\n"}) {
    EXPECT_EQ(server.ask("POST /drain", field).status, 403) << field;
    EXPECT_EQ(
        server.ask("POST /drain", field + std::string{"Authorization: Bearer wrong\r\n"}).status,
        403);
  }
  EXPECT_EQ(server->stage(), server_stage::running);
  EXPECT_EQ(server
                .ask("POST /drain",
                     "Origin: http://us.example\r\nAuthorization: Bearer correct-horse\r\n")
                .status,
            202);
}

TEST(admin_drain, is_for_whom_the_file_system_lets_in) {
  const std::string path = "unix:/tmp/dwell_admin_test." + std::to_string(::getpid());
  const observed_server server{{}, echo, {}, {.listen = {path}}};
  EXPECT_EQ(server.ask("GET /readyz").status, 200);
  EXPECT_EQ(server.ask("POST /drain").status, 202);
}

TEST(admin_drain, from_elsewhere_needs_the_token) {
  in_two_networks([](two_networks& networks) {
    const auto expect = [&](const std::string& token, const std::string& fields, int status) {
      const observed_server server{{.listen = {two_networks::server_address}},
                                   echo,
                                   {},
                                   {.listen = {two_networks::server_address}, .token = token}};
      networks.on_client_side([&] {
        EXPECT_EQ(server.ask("GET /metrics").status, 200);
        EXPECT_EQ(server.ask("POST /drain", fields).status, status) << fields;
      });
      EXPECT_EQ(server->stage() == server_stage::running, status == 403) << fields;
    };
    expect("", "", 403);
    expect("", "Authorization: Bearer \r\n", 403);
    expect("", "Authorization: Bearer x\r\n", 403);
    expect("secret", "", 403);
    expect("secret", "Authorization: Bearer secre\r\n", 403);
    expect("secret", "Authorization: Bearer secrets\r\n", 403);
    expect("secret", "Authorization: Basic secret\r\n", 403);
    expect("secret", "Authorization: Bearer secret\r\n", 202);
  });
}

}  // namespace
}  // namespace dwell
