// GET / and GET /status: what the admin's page is made of. What a browser makes of it is in
// admin_page_test.py.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/observed_server.hpp"
#include "support/two_networks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

raw_client talker(const observed_server& server) {
  raw_client made = server.connect();
  made.send("hello");
  EXPECT_EQ(made.receive(5), "hello");
  return made;
}

/// As a browser asks that has been given this address.
http_reply browsed(const endpoint& where, const std::string& host, const std::string& fields = "",
                   const std::string& what = "GET /") {
  raw_client client{where};
  client.send(what + " HTTP/1.1\r\nHost: " + host +
              "\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n" + fields + "\r\n");
  return parse_reply(client.receive_to_end().data);
}

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) return {};
  const std::size_t from = begin + before.size();
  return text.substr(from, text.find(after, from) - from);
}

std::string secret_of(const http_reply& page) {
  return between(page.body, "name=\"dwell-secret\" content=\"", "\"");
}

std::string changes_of(const http_reply& page) {
  return between(page.body, "name=\"dwell-changes\" content=\"", "\"");
}

// ── the page ──

TEST(admin_page, is_for_whom_can_read_html) {
  const observed_server server{{}, echo};
  const std::string host = to_string(server.admin_endpoint());
  const http_reply page = browsed(server.admin_endpoint(), host);
  EXPECT_EQ(page.headers.at("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("<!DOCTYPE html>"));
  EXPECT_THAT(page.body, Not(HasSubstr("{{")));
  const http_reply text = server.ask("GET /", "Accept: */*\r\n");
  EXPECT_THAT(text.headers.at("Content-Type"), HasSubstr("text/plain"));
  EXPECT_THAT(text.body, HasSubstr("POST /drain"));
  for (const http_reply& each : {page, text}) {
    EXPECT_EQ(each.headers.at("Vary"), "Accept");
    EXPECT_EQ(each.headers.at("Cache-Control"), "no-store");
    EXPECT_EQ(each.headers.at("X-Content-Type-Options"), "nosniff");
  }
}

TEST(admin_page, runs_nothing_but_itself) {
  const observed_server server{{}, echo};
  const std::string host = to_string(server.admin_endpoint());
  const http_reply page = browsed(server.admin_endpoint(), host);
  const std::string policy = page.headers.at("Content-Security-Policy");
  const std::string nonce = between(policy, "script-src 'nonce-", "'");
  EXPECT_EQ(nonce.size(), 32);
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(page.body, HasSubstr("<script nonce=\"" + nonce + "\">"));
  EXPECT_EQ(page.headers.at("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_NE(browsed(server.admin_endpoint(), host).headers.at("Content-Security-Policy"), policy)
      << "a nonce is used once";
}

TEST(admin_page, may_change_something_from_this_machine) {
  observed_server server{{}, echo};
  const endpoint& where = server.admin_endpoint();
  const std::string port = std::to_string(where.port);
  for (const std::string& host : {"127.0.0.1:" + port, "localhost:" + port}) {
    const http_reply page = browsed(where, host);
    EXPECT_EQ(changes_of(page), "page");
    const std::string own = "Origin: http://" + host + "\r\n";
    const std::string with_secret = own + "Dwell-Page: " + secret_of(page) + "\r\n";
    const std::string change = "POST /limits?connections=9";
    EXPECT_EQ(browsed(where, host, own, change).status, 403) << "without the secret";
    EXPECT_EQ(browsed(where, host, with_secret + "X-Forwarded-For: 10.0.0.1\r\n", change).status,
              403);
    EXPECT_EQ(browsed(where, "127.0.0.2:" + port, with_secret, change).status, 403)
        << "of another origin";
    EXPECT_EQ(browsed(where, host, with_secret, change).status, 200);
  }
}

TEST(admin_page, has_no_secret_for_names_that_may_be_anybodys) {
  const observed_server server{{}, echo};
  const endpoint& where = server.admin_endpoint();
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example"}) {
    const http_reply page = browsed(where, host);
    EXPECT_EQ(secret_of(page), "") << host;
    EXPECT_EQ(changes_of(page), "none") << host;
  }
  EXPECT_EQ(secret_of(browsed(where, "127.0.0.1", "X-Forwarded-For: 10.0.0.1\r\n")), "");
  EXPECT_EQ(secret_of(browsed(where, "127.0.0.1")).size(), 32);
}

TEST(admin_page, needs_the_token_from_elsewhere) {
  in_two_networks([](two_networks& networks) {
    for (const std::string token : {"", "secret"}) {
      const observed_server server{{.listen = {two_networks::server_address}},
                                   echo,
                                   {},
                                   {.listen = {two_networks::server_address}, .token = token}};
      networks.on_client_side([&] {
        const http_reply page =
            browsed(server.admin_endpoint(), to_string(server.admin_endpoint()));
        EXPECT_EQ(secret_of(page), "");
        EXPECT_EQ(changes_of(page), token.empty() ? "none" : "token");
        EXPECT_THAT(page.body, Not(HasSubstr("=\"secret\"")));
      });
    }
  });
}

// ── status ──

json status(const observed_server& server) {
  const http_reply reply = server.ask("GET /status");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("Content-Type"), "application/json");
  return json::parse(reply.body);
}

std::uint64_t sum(const json& histogram) {
  std::uint64_t all = 0;
  for (const json& each : histogram) all += each[1].get<std::uint64_t>();
  return all;
}

TEST(admin_status, is_what_was_done) {
  const observed_server server{{.deadlines = {.idle = 1h}}, echo, {.connections = 20}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(talker(server));
  json now = status(server);
  EXPECT_EQ(now["pid"], ::getpid());
  EXPECT_EQ(now["stage"], "running");
  EXPECT_EQ(now["connections"]["open"], 8);
  EXPECT_EQ(now["connections"]["limit"], 20);
  EXPECT_EQ(now["connections"]["phases"]["idle"], 8);
  EXPECT_EQ(now["connections"]["states"]["established"], 8);
  EXPECT_EQ(sum(now["idle_s"]), 8);
  EXPECT_EQ(now["totals"]["opened"], 8);
  EXPECT_EQ(now["totals"]["exchanges"], 8);
  EXPECT_EQ(now["totals"]["received_bytes"], 40);
  EXPECT_EQ(now["loops"]["count"], 1);
  EXPECT_EQ(now["loops"]["silent"], json::array());
  EXPECT_EQ(now["services"][0]["open"], 8);
  EXPECT_EQ(now["log"]["level"], "info");
  EXPECT_EQ(now["pressure"]["level"], "normal");
  EXPECT_EQ(now["pressure"]["used_percent"]["connections"], 40);
  EXPECT_EQ(now["drain"]["step"], "none");
  clients[0].reset();
  clients[1].close();
  ASSERT_TRUE(server.wait_for_live(6));
  EXPECT_EQ(server
                .ask("POST /close?peer=127.0.0.1:" + std::to_string(clients[2].local_port()) +
                     "&method=abort")
                .status,
            200);
  EXPECT_TRUE(clients[2].hears_something());
  now = status(server);
  EXPECT_EQ(now["totals"]["closed"]["drain"], 1);
  EXPECT_EQ(now["totals"]["closed"]["peer_reset"], 1);
  EXPECT_EQ(now["totals"]["closed"]["peer_closed"], 1);
  EXPECT_EQ(now["totals"]["methods"]["abort"], 1);
  EXPECT_EQ(now["totals"]["methods"]["graceful"], 2);
  EXPECT_EQ(now["totals"]["time_wait"]["there"], 1);
  EXPECT_EQ(sum(now["idle_s"]), 5);
}

TEST(admin_status, shows_whose_deadline_is_next) {
  const observed_server server{
      {}, callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
        if (data.text() == "off") peer.set_deadline(phase::idle, off);
        if (data.text() != "off") {
          const auto minutes = std::chrono::minutes{std::stoi(std::string{data.text()})};
          peer.set_deadline(phase::idle, minutes);
        }
        peer.send("ok");
        return data.size();
      }}};
  std::vector<raw_client> clients;
  for (const char* minutes : {"70", "20", "off", "50", "10", "60", "90", "30", "40", "80"}) {
    clients.push_back(server.connect());
    clients.back().send(minutes);
    EXPECT_EQ(clients.back().receive(2), "ok");
  }
  const json next = status(server)["next_due"];
  ASSERT_EQ(next.size(), 6);
  for (std::size_t i = 0; i < next.size(); ++i) {
    const std::int64_t minutes = 10 * static_cast<std::int64_t>(i + 1);
    EXPECT_LE(next[i]["deadline_ms"], minutes * 60'000);
    EXPECT_GT(next[i]["deadline_ms"], (minutes - 1) * 60'000);
  }
}

TEST(admin_status, names_the_loop_that_does_not_answer) {
  loop_stall stall;
  const observed_server server{
      {}, callbacks<>{.on_data = [&stall](connection& peer, no_session&, bytes data) {
        stall.hold();
        peer.send(data);
        return data.size();
      }}};
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  const json now = status(server);
  EXPECT_EQ(now["loops"]["silent"], json::array({0}));
  EXPECT_EQ(now["connections"]["open"], 1) << "counted without it";
  EXPECT_GE(now["loops"]["longest_turn_now_ms"], 900);
  stall.let_go();
  EXPECT_EQ(client.receive(4), "hold");
}

TEST(admin_status, is_there_before_and_after) {
  server observed{quietly()};
  observed.serve(on_loopback(), echo);
  const admin shows{observed, on_any_port()};
  const auto stage = [&] {
    return json::parse(ask(shows.endpoint(), "GET /status").body)["stage"];
  };
  EXPECT_EQ(stage(), "made");
  observed.start();
  EXPECT_EQ(stage(), "running");
  observed.stop();
  observed.wait();
  EXPECT_EQ(stage(), "ended");
}

}  // namespace
}  // namespace dwell
