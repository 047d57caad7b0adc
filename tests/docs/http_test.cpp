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

http::router site() {
  http::router routes;
  routes.get("/answer", answer).get("/count", count).get("/slow", slow);
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
