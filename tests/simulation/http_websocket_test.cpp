// WebSockets on the simulated engine: who may open one, what comes through, and how it ends.
#include <dwell/http.hpp>

#include "../websocket_frames.hpp"
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace dwell::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace http = dwell::http;

/// How a handler has seen its WebSocket end.
struct ending {
  std::optional<http::websocket_close_code> code;
  std::string text;
  std::optional<close_reason> why;
};

/// What the handlers of one server have seen.
struct seen {
  std::vector<ending> ends;
  std::uint64_t most_queued = 0;
  int code() const { return ends.empty() ? 0 : static_cast<int>(ends.back().code.value()); }
};

void note(seen& all, const http::websocket& socket) {
  all.ends.push_back(
      {socket.close_code(), std::string{socket.close_text()}, socket.peer().reason()});
}

http::websocket_callback echo(seen& all) {
  return [&all](http::websocket& socket) -> dwell::task<> {
    while (auto message = co_await socket.read()) {
      if (message.is_text()) {
        co_await socket.write_text(message.text());
      } else {
        co_await socket.write_binary(message.data());
      }
      all.most_queued = std::max<std::uint64_t>(all.most_queued, socket.peer().queued());
    }
    note(all, socket);
  };
}

dwell::handler serving(http::websocket_callback what, http::websocket_options options = {}) {
  http::router routes;
  routes.get("/", http::websocket_handler(std::move(what), std::move(options)));
  routes.post("/", [](const http::request&) { return http::response{}; });
  return http::serve(std::move(routes));
}

/// A client's WebSocket, with what has come on it.
struct client {
  peer end;

  void send(const std::string& frames) { end.send(std::string_view{frames}); }
  std::string_view after_head() const {
    const std::string_view all = end.received();
    const auto head = all.find("\r\n\r\n");
    return head == std::string_view::npos ? std::string_view{} : all.substr(head + 4);
  }
  std::vector<server_frame> frames() const {
    const server_frames read = read_frames(after_head());
    EXPECT_EQ(read.fault, "");
    EXPECT_FALSE(read.cut);
    return read.all;
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> made;
    for (const server_frame& each : frames()) {
      if (each.opcode == 1) made.push_back(each.payload);
    }
    return made;
  }
  /// Of the Close that came last of all, or 0.
  int close_code() const {
    const auto all = frames();
    return all.empty() ? 0 : all.back().code();
  }
};

client open(simulation& sim, const dwell::server& server) {
  client made{sim.connect(server)};
  made.end.send(websocket_request("/"));
  sim.advance(0ms);
  EXPECT_THAT(std::string{made.end.received()}, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  return made;
}

// ── who may open one ──

std::string answer_to(std::string request, http::websocket_options options = {}) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all), std::move(options)));
  peer asking = sim.connect(server);
  asking.send(std::string_view{request});
  sim.advance(0ms);
  return std::string{asking.received()};
}

std::string without(std::string request, std::string_view line) {
  const auto at = request.find(line);
  return request.erase(at, request.find("\r\n", at) + 2 - at);
}

std::string replaced(std::string request, std::string_view what, std::string_view by) {
  return request.replace(request.find(what), what.size(), by);
}

TEST(websocket, is_opened_by_a_request_that_asks_for_it) {
  const std::string answer = answer_to(websocket_request("/"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nSec-WebSocket-Accept: " + std::string{websocket_answer}));
  EXPECT_EQ(answer.find("Sec-WebSocket-Protocol"), std::string::npos);
}

TEST(websocket, refuses_whatever_does_not) {
  const std::string right = websocket_request("/");
  const auto status_of = [](std::string request) {
    return answer_to(std::move(request)).substr(9, 3);
  };
  EXPECT_EQ(status_of(right), "101");
  EXPECT_EQ(status_of(without(right, "Upgrade:")), "426");
  EXPECT_EQ(status_of(without(right, "Connection:")), "426");
  EXPECT_EQ(status_of(replaced(right, "websocket", "h2c")), "426");
  EXPECT_EQ(status_of(replaced(right, "Connection: Upgrade", "Connection: keep-alive, upGRADE")),
            "101");
  EXPECT_EQ(status_of(replaced(right, "Version: 13", "Version: 8")), "426");
  EXPECT_EQ(status_of(without(right, "Sec-WebSocket-Version")), "426");
  EXPECT_EQ(status_of(without(right, "Sec-WebSocket-Key")), "400");
  EXPECT_EQ(status_of(replaced(right, "dGhl", "####")), "400");
  EXPECT_EQ(status_of(websocket_request("/", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")),
            "400");
  EXPECT_EQ(status_of(replaced(right, "HTTP/1.1", "HTTP/1.0")), "426");
  EXPECT_EQ(status_of(replaced(right, "GET", "HEAD")), "405");
  EXPECT_EQ(status_of(websocket_request("/", "Content-Length: 1\r\n") + "x"), "400");
  const std::string old = answer_to(replaced(right, "Version: 13", "Version: 8"));
  EXPECT_THAT(old, HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_THAT(old, HasSubstr("\r\nUpgrade: websocket\r\n"));
}

TEST(websocket, is_for_pages_of_its_own_host_and_those_that_are_listed) {
  const auto status_for = [](const std::string& origin, std::vector<std::string> listed) {
    return answer_to(websocket_request("/", "Origin: " + origin + "\r\n"),
                     {.origins = std::move(listed)})
        .substr(9, 3);
  };
  EXPECT_EQ(status_for("http://a", {}), "101");
  EXPECT_EQ(status_for("http://evil", {}), "403");
  EXPECT_EQ(status_for("null", {"https://b"}), "403");
  EXPECT_EQ(status_for("https://b", {"https://b"}), "101");
  EXPECT_EQ(status_for("https://b.evil", {"https://b"}), "403");
  EXPECT_EQ(status_for("http://evil", {"*"}), "101");
}

TEST(websocket, agrees_on_the_first_subprotocol_that_is_known) {
  const auto answer_for = [](const std::string& offered) {
    return answer_to(websocket_request("/", "Sec-WebSocket-Protocol: " + offered + "\r\n"),
                     {.protocols = {"chat", "superchat"}});
  };
  EXPECT_THAT(answer_for("soap, superchat, chat"),
              HasSubstr("\r\nSec-WebSocket-Protocol: superchat\r\n"));
  EXPECT_THAT(answer_for("soap\r\nSec-WebSocket-Protocol: chat"),
              HasSubstr("\r\nSec-WebSocket-Protocol: chat\r\n"));
  const std::string none = answer_for("soap");
  EXPECT_THAT(none, StartsWith("HTTP/1.1 101"));
  EXPECT_EQ(none.find("Sec-WebSocket-Protocol"), std::string::npos);
}

TEST(websocket, options_out_of_bounds_are_named) {
  seen all;
  EXPECT_THROW(http::websocket_handler(echo(all), {.message = 0}), std::invalid_argument);
  EXPECT_THROW(http::websocket_handler(echo(all), {.ping_interval = 0ms}), std::invalid_argument);
  EXPECT_THROW(http::websocket_handler(echo(all), {.protocols = {"a b"}}), std::invalid_argument);
}

// ── messages ──

TEST(websocket, brings_messages_of_any_size_and_kind) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all), {.message = 200'000}));
  client one = open(sim, server);
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 200'000U}) {
    one.send(text_frame(std::string(size, 'x')));
    one.send(binary_frame(std::string(size, '\xFE')));
    sim.advance(1ms);
    const auto frames = one.frames();
    ASSERT_GE(frames.size(), 2U) << size;
    EXPECT_EQ(frames[frames.size() - 2], (server_frame{1, std::string(size, 'x')}));
    EXPECT_EQ(frames.back(), (server_frame{2, std::string(size, '\xFE')}));
  }
}

TEST(websocket, takes_frames_that_come_with_the_request) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client eager{sim.connect(server)};
  const std::string sent =
      websocket_request("/") + text_frame("one") + text_frame("two").substr(0, 4);
  eager.send(sent);
  sim.advance(1s);
  eager.send(text_frame("two").substr(4));
  sim.advance(0ms);
  EXPECT_THAT(eager.texts(), ElementsAre("one", "two"));
}

TEST(websocket, answers_pings_between_the_fragments_of_a_message) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server);
  one.send(encode({.opcode = 1, .payload = "frag", .fin = false}) + ping_frame("now") +
           pong_frame("?") + encode({.opcode = 0, .payload = "ment"}));
  sim.advance(0ms);
  EXPECT_THAT(one.frames(), ElementsAre(server_frame{10, "now"}, server_frame{1, "fragment"}));
}

TEST(websocket, keeps_a_message_while_its_handler_waits) {
  simulation sim;
  std::string kept;
  auto& server = sim.serve({}, serving([&kept](http::websocket& socket) -> dwell::task<> {
                             while (auto message = co_await socket.read()) {
                               co_await dwell::sleep_for(5s);
                               kept += message.text();
                             }
                           }));
  client one = open(sim, server), other = open(sim, server);
  one.send(text_frame("mine"));
  sim.advance(1s);
  other.send(text_frame("another's, and longer"));
  one.send(text_frame("next"));
  sim.advance(4s);
  EXPECT_EQ(kept, "mine");
}

TEST(websocket, broadcasts_one_frame_to_all) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server), other = open(sim, server);
  server.each(
      [frame = http::encode_websocket_text("to all")](dwell::connection& to) { to.send(frame); });
  server.each(
      [frame = http::encode_websocket_binary("\x01")](dwell::connection& to) { to.send(frame); });
  sim.advance(0ms);
  for (const client& each : {one, other}) {
    EXPECT_THAT(each.frames(), ElementsAre(server_frame{1, "to all"}, server_frame{2, "\x01"}));
  }
}

// ── the closing handshake ──

TEST(websocket, answers_the_peers_close_and_then_sends_its_fin) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server);
  one.send(text_frame("last") + close_frame(1001, "leaving") + text_frame("too late"));
  sim.advance(0ms);
  EXPECT_THAT(one.frames(),
              ElementsAre(server_frame{1, "last"}, server_frame{8, close_payload(1001)}));
  EXPECT_TRUE(one.end.got_end());
  EXPECT_EQ(all.code(), 1001);
  EXPECT_EQ(all.ends.at(0).text, "leaving");
  sim.advance(1s);
  EXPECT_EQ(one.end.record().reason, close_reason::finished);
  EXPECT_EQ(one.end.record().exchanges, 1U);
  EXPECT_EQ(one.end.time_wait(), dwell::time_wait::here);  // RFC 6455, 7.1.1
}

TEST(websocket, answers_a_close_without_code_with_the_same) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server);
  one.send(encode({.opcode = 8}));
  sim.advance(0ms);
  EXPECT_THAT(one.frames(), ElementsAre(server_frame{8, ""}));
  EXPECT_EQ(all.code(), 1005);
}

http::websocket_callback greet_and_leave() {
  return [](http::websocket& socket) -> dwell::task<> {
    socket.send_text("hello");
    co_return;
  };
}

TEST(websocket, a_handler_that_returns_says_so_and_waits_for_the_answer) {
  simulation sim;
  auto& server = sim.serve({}, serving(greet_and_leave()));
  client one = open(sim, server);
  sim.advance(2s);
  EXPECT_THAT(one.frames(),
              ElementsAre(server_frame{1, "hello"}, server_frame{8, close_payload(1000)}));
  EXPECT_FALSE(one.end.got_end());
  one.send(text_frame("crossed") + ping_frame() + close_frame(1000));
  sim.advance(0ms);
  EXPECT_TRUE(one.end.got_end());
  sim.advance(1s);
  EXPECT_EQ(one.end.record().reason, close_reason::finished);
  EXPECT_EQ(one.end.record().time_wait, dwell::time_wait::here);
  EXPECT_FALSE(one.end.got_reset());
}

TEST(websocket, waits_for_the_answer_to_its_close_no_longer_than_the_close_deadline) {
  simulation sim;
  auto& server = sim.serve({.deadlines = {.close = 3s}}, serving(greet_and_leave()));
  client one = open(sim, server);
  for (int i = 0; i < 29; ++i) {
    one.send(ping_frame());  // activity, and no answer
    sim.advance(100ms);
    EXPECT_FALSE(one.end.got_end()) << i;
  }
  sim.advance(100ms);
  EXPECT_TRUE(one.end.got_end());
  EXPECT_EQ(one.close_code(), 1000);
  EXPECT_EQ(one.end.closed_after(), 3s);
}

TEST(websocket, closes_with_a_code_and_a_reason_of_ones_own) {
  simulation sim;
  auto& server = sim.serve({}, serving([](http::websocket& socket) -> dwell::task<> {
                             socket.close(http::websocket_close_code{4000}, "enough");
                             socket.close();
                             EXPECT_FALSE(socket.send_text("after"));
                             EXPECT_FALSE(co_await socket.read());
                             EXPECT_EQ(static_cast<int>(socket.close_code().value()), 4000);
                           }));
  client one = open(sim, server);
  EXPECT_THAT(one.frames(), ElementsAre(server_frame{8, close_payload(4000, "enough")}));
  one.send(close_frame(4000));
  sim.advance(1s);
  EXPECT_EQ(one.end.record().reason, close_reason::finished);
}

TEST(websocket, lets_the_peer_close_first_where_that_is_planned) {
  simulation sim;
  auto& server = sim.serve({.close = {.finished = dwell::close_method::peer_first,
                                      .idle = dwell::close_method::peer_first}},
                           serving(greet_and_leave()));
  client one = open(sim, server);
  one.send(close_frame(1000));
  sim.advance(1s);
  EXPECT_FALSE(one.end.got_end());
  one.end.close();
  sim.advance(1s);
  EXPECT_EQ(one.end.record().done, dwell::close_method::peer_first);
  EXPECT_EQ(one.end.time_wait(), dwell::time_wait::there);

  seen all;
  auto& patient =
      sim.serve({.deadlines = {.idle = 10s}, .close = {.idle = dwell::close_method::peer_first}},
                serving(echo(all)));
  client idle = open(sim, patient);
  sim.advance(10s);
  EXPECT_EQ(idle.close_code(), 1001);
  EXPECT_FALSE(idle.end.got_end());
  idle.send(close_frame(1001));
  idle.end.close();
  sim.advance(1s);
  EXPECT_EQ(idle.end.record().reason, close_reason::idle_timeout);
  EXPECT_EQ(idle.end.record().done, dwell::close_method::peer_first);
  EXPECT_EQ(idle.end.time_wait(), dwell::time_wait::there);
}

TEST(websocket, a_peer_that_leaves_without_close_is_abnormal) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server), other = open(sim, server);
  one.end.shutdown_send();
  sim.advance(1s);
  EXPECT_EQ(all.code(), 1006);
  EXPECT_EQ(all.ends.at(0).why, close_reason::peer_closed);
  EXPECT_EQ(one.frames().size(), 0U);
  EXPECT_EQ(one.end.record().reason, close_reason::peer_closed);
  other.end.reset();
  sim.advance(1s);
  EXPECT_EQ(all.ends.size(), 2U);
  EXPECT_EQ(all.code(), 1006);
  EXPECT_EQ(other.end.record().reason, close_reason::peer_reset);
}

TEST(websocket, what_breaks_the_protocol_is_told_and_not_reset) {
  struct broken {
    std::string sent;
    int code;
  };
  for (const auto& [sent, code] :
       {broken{encode({.payload = "x", .masked = false}), 1002},
        broken{encode({.opcode = 3}), 1002}, broken{text_frame("\xFF"), 1007},
        broken{text_frame(std::string(1001, 'x')), 1009},
        broken{encode({.opcode = 8, .payload = "x"}), 1002}}) {
    seen all;
    simulation sim;
    auto& server = sim.serve({}, serving(echo(all), {.message = 1000}));
    client one = open(sim, server);
    one.send(text_frame("before") + sent + std::string(10'000, 'y'));
    sim.advance(0ms);
    one.send(std::string(10'000, 'z'));  // still talking when our FIN comes
    sim.advance(1s);
    const auto frames = one.frames();
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0], (server_frame{1, "before"}));
    EXPECT_EQ(frames[1].code(), code);
    EXPECT_EQ(all.code(), code);
    EXPECT_TRUE(one.end.got_end());
    EXPECT_FALSE(one.end.got_reset());
    EXPECT_EQ(one.end.record().reason, close_reason::protocol_error);
    EXPECT_TRUE(one.end.record().lingered);
  }
}

TEST(websocket, a_handler_that_throws_is_told_and_not_reset) {
  simulation sim;
  auto& server = sim.serve({}, serving([](http::websocket& socket) -> dwell::task<> {
                             co_await socket.read();
                             throw std::runtime_error{"on purpose"};
                           }));
  client one = open(sim, server);
  one.send(text_frame("go"));
  sim.advance(1s);
  EXPECT_EQ(one.close_code(), 1011);
  EXPECT_TRUE(one.end.got_end());
  EXPECT_EQ(one.end.record().reason, close_reason::handler_failed);
}

// ── deadlines ──

TEST(websocket, says_goodbye_at_the_idle_deadline_which_pings_postpone) {
  seen all;
  simulation sim;
  auto& server = sim.serve({.deadlines = {.idle = 60s}}, serving(echo(all)));
  client quiet = open(sim, server), busy = open(sim, server), ponging = open(sim, server);
  for (int i = 0; i < 10; ++i) {
    busy.send(ping_frame());
    ponging.send(pong_frame("unasked"));
    sim.advance(30s);
  }
  EXPECT_EQ(quiet.close_code(), 1001);
  EXPECT_TRUE(quiet.end.got_end());
  EXPECT_EQ(quiet.end.closed_after(), 60s);
  EXPECT_EQ(quiet.end.record().reason, close_reason::idle_timeout);
  ASSERT_EQ(all.ends.size(), 1U);
  EXPECT_EQ(all.code(), 1001);
  EXPECT_TRUE(busy.end.is_open());
  EXPECT_TRUE(ponging.end.is_open());
}

TEST(websocket, says_goodbye_when_the_server_drains) {
  seen all;
  simulation sim;
  auto& server = sim.serve({}, serving(echo(all)));
  client one = open(sim, server);
  server.drain();
  sim.advance(1s);
  EXPECT_EQ(one.close_code(), 1001);
  EXPECT_TRUE(one.end.got_end());
  EXPECT_EQ(one.end.record().reason, close_reason::drain);
}

TEST(websocket, a_message_has_the_read_deadline_from_its_first_byte) {
  for (const bool in_fragments : {false, true}) {
    seen all;
    simulation sim;
    auto& server = sim.serve({.deadlines = {.idle = 60s, .read = 10s}}, serving(echo(all)));
    client one = open(sim, server);
    sim.advance(30s);
    one.send(in_fragments ? encode({.opcode = 1, .payload = "x", .fin = false})
                          : text_frame("whole").substr(0, 1));
    for (int i = 0; i < 9; ++i) {
      sim.advance(1s);
      if (in_fragments) one.send(ping_frame() + encode({.opcode = 0, .fin = false}));
    }
    EXPECT_TRUE(one.end.is_open());
    sim.advance(1s);
    EXPECT_EQ(one.close_code(), 1008) << in_fragments;
    EXPECT_EQ(one.end.record().reason, close_reason::read_timeout);
    EXPECT_EQ(one.end.closed_after(), 40s);
  }
}

TEST(websocket, a_message_that_becomes_whole_is_idle_again) {
  seen all;
  simulation sim;
  auto& server = sim.serve({.deadlines = {.idle = 60s, .read = 10s}}, serving(echo(all)));
  client one = open(sim, server);
  one.send(text_frame("slow").substr(0, 3));
  sim.advance(9s);
  one.send(text_frame("slow").substr(3));
  sim.advance(59s);
  EXPECT_TRUE(one.end.is_open());
  EXPECT_THAT(one.texts(), ElementsAre("slow"));
  sim.advance(1s);
  EXPECT_EQ(one.end.record().reason, close_reason::idle_timeout);
}

TEST(websocket, a_handler_has_the_handle_deadline_from_one_word_to_the_next) {
  simulation sim;
  const auto talk = [](http::websocket& socket) -> dwell::task<> {
    for (int i = 0; i < 5; ++i) {
      co_await socket.write_text("tick");
      co_await dwell::sleep_for(20s);
    }
    co_await dwell::sleep_for(1h);
  };
  auto& server = sim.serve({.deadlines = {.idle = 1h, .handle = 30s}}, serving(talk));
  client one = open(sim, server);
  sim.advance(100s);
  EXPECT_EQ(one.texts().size(), 5U);
  EXPECT_TRUE(one.end.is_open());
  sim.advance(30s);
  EXPECT_EQ(one.close_code(), 1011);
  EXPECT_EQ(one.end.record().reason, close_reason::handle_timeout);
}

// ── the heartbeat ──

TEST(websocket, keeps_who_answers_pings_and_not_who_does_not) {
  seen all;
  simulation sim;
  auto& server =
      sim.serve({.deadlines = {.idle = 60s}}, serving(echo(all), {.ping_interval = 20s}));
  client alive = open(sim, server), hung = open(sim, server), vanished = open(sim, server);
  vanished.end.vanish();
  for (std::size_t pings = 0, s = 0; s < 300; ++s) {
    sim.advance(1s);
    const auto frames = alive.frames();
    if (frames.size() == pings) continue;
    pings = frames.size();
    EXPECT_EQ(frames.back(), (server_frame{9, ""}));
    alive.send(pong_frame());
  }
  EXPECT_TRUE(alive.end.is_open());
  EXPECT_GE(alive.frames().size(), 300U / 60);
  EXPECT_THAT(hung.frames(),
              ElementsAre(server_frame{9, ""}, server_frame{8, close_payload(1001)}));
  EXPECT_EQ(hung.end.record().reason, close_reason::idle_timeout);
  EXPECT_LE(hung.end.closed_after().value(), 60s);
  EXPECT_FALSE(vanished.end.is_open());
  EXPECT_EQ(all.ends.size(), 2U);
}

TEST(websocket, does_not_ask_a_peer_whose_pongs_nobody_reads) {
  simulation sim;
  auto& server =
      sim.serve({.deadlines = {.handle = 10min}}, serving(
                                                      [](http::websocket& socket) -> dwell::task<> {
                                                        while (co_await socket.read()) {
                                                          co_await dwell::sleep_for(301s);
                                                          socket.send_text("done");
                                                        }
                                                      },
                                                      {.ping_interval = 10s}));
  client one = open(sim, server);
  one.send(text_frame("work"));
  sim.advance(301s);
  EXPECT_THAT(one.frames(), ElementsAre(server_frame{1, "done"}));
}

TEST(websocket, a_heartbeat_ends_with_its_handler) {
  seen all;
  simulation sim;
  auto& server =
      sim.serve({.deadlines = {.idle = 1500ms}}, serving(echo(all), {.ping_interval = 2s}));
  client one = open(sim, server);
  one.end.stay_at_end();
  sim.advance(5s);  // our FIN is out, and the peer keeps its end
  EXPECT_EQ(all.ends.size(), 1U);
  EXPECT_TRUE(one.end.is_open());
  EXPECT_THAT(one.frames(), ElementsAre(server_frame{8, close_payload(1001)}));
}

// ── bounds ──

TEST(websocket, a_peer_that_does_not_read_is_not_read) {
  seen all;
  simulation sim;
  auto& server = sim.serve({.deadlines = {.write = 5min}}, serving(echo(all)));
  client one = open(sim, server);
  one.end.stop_reading();
  for (int i = 0; i < 1000; ++i) one.send(text_frame(std::string(10'000, 'x')));
  sim.advance(10s);
  EXPECT_TRUE(one.end.is_open());
  EXPECT_LE(all.most_queued, 64U * 1024 + 20'000);
  one.end.start_reading();
  sim.advance(20s);
  EXPECT_EQ(one.texts().size(), 1000U);
}

TEST(websocket, pings_of_a_peer_that_does_not_read_are_bounded_too) {
  seen all;
  simulation sim;
  std::uint64_t most = 0;
  auto& server = sim.serve({.deadlines = {.write = 5min}}, serving(echo(all)));
  client one = open(sim, server);
  one.end.stop_reading();
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += ping_frame(std::string(125, 'p'));
  for (int i = 0; i < 1000; ++i) {
    one.send(pings);
    if (i % 20 != 0) continue;
    sim.advance(10ms);
    server.each(
        [&most](dwell::connection& each) { most = std::max<std::uint64_t>(most, each.queued()); });
  }
  sim.advance(1s);
  EXPECT_TRUE(one.end.is_open());
  EXPECT_GT(most, 64U * 1024 / 2);
  EXPECT_LE(most, 3 * 64U * 1024);
  one.end.start_reading();
  sim.advance(20s);
  EXPECT_EQ(one.frames().size(), 100'000U);
}

TEST(websocket, a_server_may_go_while_some_are_open) {
  seen all;
  auto sim = std::make_unique<simulation>();
  auto& server = sim->serve({}, serving(echo(all), {.ping_interval = 10s}));
  open(*sim, server);
  client partial = open(*sim, server);
  partial.send(text_frame(std::string(5000, 'x')).substr(0, 3000));
  sim->advance(1s);
  sim.reset();
}

// ── every network ──

TEST(websocket, echoes_whole_messages_on_every_network) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random{seed};
    const auto up_to = [&random](std::size_t most) {
      return std::uniform_int_distribution<std::size_t>{0, most}(random);
    };
    seen all;
    simulation sim{{.seed = seed,
                    .faults = {.delay = dwell::duration{up_to(20)},
                               .jitter = dwell::duration{up_to(20)},
                               .loss = up_to(1) == 0 ? 0.05 : 0,
                               .short_reads = 0.5,
                               .short_writes = 0.5}}};
    auto& server = sim.serve({}, serving(echo(all), {.message = 100'000}));
    client one{sim.connect(server)};
    one.end.send(websocket_request("/"));
    std::vector<server_frame> expected;
    for (std::size_t i = up_to(12); i > 0; --i) {
      const std::string payload(up_to(3) == 0 ? up_to(100'000) : up_to(200), 'x');
      const auto cut = up_to(payload.size());
      const bool whole = up_to(1) == 0;
      one.send(whole ? binary_frame(payload)
                     : encode({.opcode = 2, .payload = payload.substr(0, cut), .fin = false}) +
                           encode({.opcode = 0, .payload = payload.substr(cut)}));
      expected.push_back({2, payload});
      if (up_to(3) == 0) sim.advance(dwell::duration{up_to(500)});
    }
    one.send(close_frame(1000));
    expected.push_back({8, close_payload(1000)});
    sim.advance(60s);
    EXPECT_EQ(one.frames(), expected);
    EXPECT_EQ(one.end.record().reason, close_reason::finished);
    EXPECT_EQ(all.code(), 1000);
  }
}

}  // namespace
