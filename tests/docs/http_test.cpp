// What docs/http.md shows, run in virtual time.
#include <dwell/http.hpp>
#include <dwell/testing/simulation.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

namespace {

namespace http = dwell::http;
using dwell::close_reason;
using dwell::testing::simulation;

// snippet: answers
http::response answer(const http::request& request) {
  if (!request.query("q")) return {.status = http::status::bad_request, .body = "use ?q=\n"};
  return {.body = "{\"q\": 1}\n",
          .content_type = "application/json",
          .headers = {{"Cache-Control", "no-store"}}};
}
// end snippet

// snippet: stream
http::response count(const http::request&) {
  http::response answer;
  answer.stream = [next = 0]() mutable {
    return next == 3 ? std::string{} : "line " + std::to_string(++next) + '\n';
  };
  return answer;
}
// end snippet

// snippet: slow
dwell::task<http::response> slow(const http::request&) {
  co_await dwell::sleep_for(20s);
  co_return http::response{.body = "here it is\n"};
}
// end snippet

// snippet: upload
dwell::task<http::response> upload(http::exchange& upload) {
  std::uint64_t size = 0;
  while (auto part = co_await upload.read()) size += part.size();
  if (!upload.is_complete()) co_return http::response{.status = http::status::bad_request};
  co_return http::response{.body = std::to_string(size) + " bytes\n"};
}
// end snippet

// snippet: ticks
dwell::task<> ticks(http::exchange& ticks) {
  ticks.begin({.headers = {{"Cache-Control", "no-store"}}});
  for (int i = 0; i < 3; ++i) {
    const std::string event = std::to_string(i) + " seconds\n";
    if (!co_await ticks.write(event)) break;  // the client has left, or a deadline has passed
    co_await dwell::sleep_for(1s);
  }
}
// end snippet

// snippet: upgrade
dwell::task<> echo(http::exchange& echo) {
  if (!echo.upgrade("echo")) {
    co_return echo.respond({.status = http::status::bad_request, .body = "ask for echo\n"});
  }
  echo.on_deadline([&echo](close_reason) { echo.send("goodbye\n"); });
  while (auto data = co_await echo.read()) co_await echo.write(data);
}
// end snippet

http::router site() {
  http::router routes;
  routes.get("/answer", answer).get("/count", count).get("/slow", slow);
  routes.post("/upload", upload).get("/ticks", ticks).get("/echo", echo);
  return routes;
}

bool begins(std::string_view received, std::string_view with) { return received.starts_with(with); }

TEST(http_pages, answers) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(site()));
  auto peer = sim.connect(server);
  peer.send("GET /answer HTTP/1.1\r\nHost: a\r\n\r\nGET /answer?q=x HTTP/1.1\r\nHost: a\r\n\r\n");
  sim.advance(1s);
  const std::string received{peer.received()};
  EXPECT_TRUE(begins(received, "HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_NE(received.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(received.find("Cache-Control: no-store\r\n"), std::string::npos);
}

TEST(http_pages, stream) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(site()));
  auto peer = sim.connect(server);
  peer.send("GET /count HTTP/1.1\r\nHost: a\r\n\r\n");
  sim.advance(1s);
  EXPECT_TRUE(std::string_view{peer.received()}.ends_with(
      "7\r\nline 1\n\r\n7\r\nline 2\n\r\n7\r\nline 3\n\r\n0\r\n\r\n"));
}

TEST(http_pages, upload) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(site()));
  auto peer = sim.connect(server);
  peer.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
  peer.send(std::string(5'000'000, 'x'));
  sim.advance(1min);
  EXPECT_TRUE(std::string_view{peer.received()}.ends_with("\r\n\r\n5000000 bytes\n"));
}

TEST(http_pages, ticks) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(site()));
  auto peer = sim.connect(server);
  peer.send("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n");
  sim.advance(1500ms);
  EXPECT_TRUE(std::string_view{peer.received()}.ends_with(
      "\r\n\r\na\r\n0 seconds\n\r\na\r\n1 seconds\n\r\n"));
  sim.advance(2s);
  EXPECT_TRUE(std::string_view{peer.received()}.ends_with("2 seconds\n\r\n0\r\n\r\n"));
}

TEST(http_pages, upgrade) {
  simulation sim;
  auto& server = sim.serve({.deadlines = {.idle = 60s}}, http::serve(site()));
  auto peer = sim.connect(server), other = sim.connect(server);
  peer.send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello ");
  other.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  sim.advance(61s);
  EXPECT_TRUE(begins(peer.received(), "HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_TRUE(std::string_view{peer.received()}.ends_with("\r\n\r\nhello goodbye\n"));
  EXPECT_TRUE(begins(other.received(), "HTTP/1.1 400 Bad Request\r\n"));
}

// snippet: test
TEST(site, answers_for_what_takes_too_long) {
  simulation sim;
  auto& server = sim.serve({.deadlines = {.idle = 60s, .handle = 5s}}, http::serve(site()));
  auto peer = sim.connect(server), quiet = sim.connect(server);
  peer.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  sim.advance(90s);  // nobody sleeps

  EXPECT_TRUE(begins(peer.received(), "HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(peer.closed_after(), 5s);
  EXPECT_EQ(quiet.record().reason, close_reason::idle_timeout);
}
// end snippet

}  // namespace
