// What docs/websocket.md shows, run in virtual time.
#include <dwell/http.hpp>
#include <dwell/testing/simulation.hpp>

#include "../websocket_frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

namespace http = dwell::http;
using dwell::close_reason;
using dwell::testing::simulation;

// snippet: echo
dwell::task<> echo(http::websocket& socket) {
  while (auto message = co_await socket.read()) {
    co_await socket.write_text(message.text());
  }
}  // the end of the coroutine says Close 1000, and waits for the peer's
// end snippet

// snippet: push
dwell::task<> hear(http::websocket& socket) {
  while (auto message = co_await socket.read()) continue;
}
dwell::task<> tick(http::websocket& socket) {
  for (bool open = true; open; open = co_await socket.write_text("tick")) {
    co_await dwell::sleep_for(1s);
  }
}
dwell::task<> clock(http::websocket& socket) {
  auto hearing = hear(socket), ticking = tick(socket);
  co_await dwell::when_all(std::move(hearing), std::move(ticking));
}
// end snippet

// snippet: close
dwell::task<> guess(http::websocket& socket) {
  while (auto message = co_await socket.read()) {
    if (message.text() == "42") socket.close(http::websocket_close_code{4042}, "well done");
  }
  // socket.close_code(): 4042, or the peer's, or `abnormal` when there was no Close at all
}
// end snippet

// snippet: routes
http::router games() {
  http::router routes;
  routes.get("/echo", http::websocket_handler(echo));
  routes.get("/clock", http::websocket_handler(clock, {.ping_interval = 20s}));
  routes.get("/guess", http::websocket_handler(guess, {.message = 100,
                                                       .protocols = {"guess.v2", "guess.v1"},
                                                       .origins = {"https://games.example"}}));
  return routes;
}
// end snippet

std::string opening(const std::string& path) { return dwell::testing::websocket_request(path); }
std::string text(const std::string& payload) { return dwell::testing::text_frame(payload); }

/// The text messages that a client has received, and the Close.
std::vector<std::string> messages(const dwell::testing::peer& of) {
  const std::string_view all = of.received();
  std::vector<std::string> made;
  for (const auto& each : dwell::testing::read_frames(all.substr(all.find("\r\n\r\n") + 4)).all) {
    made.push_back(each.opcode == 8 ? "close " + std::to_string(each.code()) : each.payload);
  }
  return made;
}

using ::testing::ElementsAre;

// snippet: test
TEST(games, an_echo_that_is_quiet_for_a_minute_is_told_and_closed) {
  simulation sim;
  auto& server = sim.serve({.deadlines = {.idle = 60s}}, http::serve(games()));
  auto peer = sim.connect(server);
  peer.send(opening("/echo"));
  sim.advance(30s);
  peer.send(text("hello"));
  sim.advance(60s);  // nobody sleeps

  EXPECT_THAT(messages(peer), ElementsAre("hello", "close 1001"));
  EXPECT_EQ(peer.closed_after(), 90s);
  EXPECT_EQ(peer.record().reason, close_reason::idle_timeout);
}
// end snippet

TEST(games, a_clock_ticks_until_its_client_closes) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(games()));
  auto peer = sim.connect(server);
  peer.send(opening("/clock"));
  sim.advance(2500ms);
  peer.send(std::string_view{dwell::testing::close_frame(1001)});
  sim.advance(10s);
  EXPECT_THAT(messages(peer), ElementsAre("tick", "tick", "close 1001"));
  EXPECT_EQ(peer.record().reason, close_reason::finished);
}

TEST(games, a_guess_ends_with_a_code_of_its_own) {
  simulation sim;
  auto& server = sim.serve({}, http::serve(games()));
  auto peer = sim.connect(server);
  peer.send(opening("/guess"));
  for (const char* guess : {"41", "42", "43"}) peer.send(std::string_view{text(guess)});
  sim.advance(1s);
  EXPECT_THAT(messages(peer), ElementsAre("close 4042"));
}

}  // namespace
