// Memory runs out at every single allocation of the server, one after the other: the connection it
// was for ends, nothing stays behind, and the next client is served (G1).
#include <dwell/client/connect.hpp>
#include <dwell/dwell.hpp>
#include <dwell/http.hpp>
#include <dwell/http/files.hpp>
#include <dwell/http/websocket.hpp>
#include <dwell/tls/self_signed.hpp>

#include "scarce_memory.hpp"
#include "scarce_server.hpp"
#include "support/tls_session.hpp"
#include "websocket_frames.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace http = dwell::http;
using dwell::close_reason;
using dwell::connection;
using dwell::task;
using dwell::testing::plain_peer;
using dwell::testing::scarce_server;

/// What is served, and what a client says to it. `talk` returns whether it got what it should.
struct exchange {
  dwell::server_options process{};
  std::function<std::uint16_t(scarce_server&)> serve;
  std::function<bool(scarce_server&, std::uint16_t port)> talk;
  std::int64_t stride = 1;  ///< every so many-th is tried, unless DWELL_EVERY_ALLOCATION is set
  bool apart = false;       ///< each try on a thread of its own
};

std::string tried;  // for whoever ends this program

std::string pattern(std::size_t size) {
  std::string made(size, 0);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}

/// Refuses `count` allocations from the `first` on. False: so many were not asked for.
bool try_one(const exchange& what, std::int64_t first, std::int64_t count) {
  tried = "allocation " + std::to_string(first) + " and " + std::to_string(count - 1) + " more";
  SCOPED_TRACE(tried);
  const std::int64_t before = scarce_memory::live();
  std::int64_t refused = 0;
  {
    scarce_server server{what.process};
    const std::uint16_t port = what.serve(server);
    scarce_memory::refuse(first, count);
    try {
      what.talk(server, port);
      server.advance(2min);
    } catch (const std::exception& escaped) {
      ADD_FAILURE() << "out of the loop: " << escaped.what();
    }
    refused = scarce_memory::refused();
    scarce_memory::refuse_nothing();
    if (::testing::Test::HasFailure()) return false;
    EXPECT_TRUE(what.talk(server, port)) << "the next client is served";
    server.advance(2min);
    EXPECT_EQ(server.what_is_left(), "");
  }
  tried.clear();
  EXPECT_EQ(scarce_memory::live(), before) << "leaked";
  return refused != 0;
}

bool try_it(const exchange& what, std::int64_t first, std::int64_t count) {
  if (!what.apart) return try_one(what, first, count);
  bool refused = false;
  std::thread{[&] { refused = try_one(what, first, count); }}.join();
  return refused;
}

/// A sanitizer makes each try take ten times as long; it has seen the others.
std::int64_t stride_of(const exchange& what) {
  if (std::getenv("DWELL_EVERY_ALLOCATION") != nullptr) return 1;
#ifdef DWELL_SANITIZED
  if (what.stride != 1) return 10 * what.stride + 1;
#endif
  return what.stride;
}

void fail_each(const exchange& what) {
  std::set_terminate([] {
    std::cerr << "std::terminate: " << tried << '\n';
    std::abort();
  });
  {
    scarce_server server{what.process};  // what happens once in a process happens here
    EXPECT_TRUE(what.talk(server, what.serve(server)));
  }
  std::int64_t from = 1;
  std::int64_t tries = 0;
  const std::int64_t stride = stride_of(what);
  if (const char* only = std::getenv("DWELL_ALLOCATION")) from = std::strtoll(only, nullptr, 10);
  for (const std::int64_t count : {std::int64_t{1}, std::int64_t{1'000'000}}) {
    std::int64_t number = from;
    for (; try_it(what, number, count); number += stride) ++tries;
    if (::testing::Test::HasFailure()) {
      std::cout << "repeat with DWELL_ALLOCATION=" << number << '\n';
      return;
    }
  }
  ::testing::Test::RecordProperty("refused", static_cast<int>(tries));
  std::cout << tries << " allocations refused\n";
  EXPECT_GT(tries, 2);
}

dwell::callbacks<std::string> echo_callbacks() {
  return {.on_data = [](connection& peer, std::string& session, dwell::bytes data) {
    session.append(data.text());
    peer.after(1ms, [](connection&) {});
    peer.send(data);
    return data.size();
  }};
}

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) {
    if (!co_await peer.write(data)) co_return;
  }
}

bool echoes(scarce_server& server, std::uint16_t port, std::size_t size) {
  plain_peer client = server.connect(port);
  const std::string said = pattern(size);
  client->send(said);
  server.advance(100ms);
  const bool whole = client.received() == said;
  client->shutdown_send();
  server.advance(1s);
  return whole;
}

TEST(allocation_failure, of_an_echo_with_callbacks) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, echo_callbacks()); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   return echoes(s, port, 100) && echoes(s, port, 100'000);
                 }});
}

TEST(allocation_failure, of_an_echo_with_a_coroutine) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, echo); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   return echoes(s, port, 100) && echoes(s, port, 100'000);
                 }});
}

task<> nap(dwell::duration length) { co_await dwell::sleep_for(length); }

/// Everything that a coroutine can wait for.
task<> waits_for_much(connection& peer) {
  while (auto data = co_await peer.read()) {
    peer.set_deadline(dwell::phase::handle, 20s);
    co_await dwell::sleep_for(3ms);
    const int doubled = co_await dwell::offload([] { return 42; });
    peer.after(5ms, [](connection& later) { later.send("later "); });
    co_await dwell::when_all(nap(1ms), nap(2ms));
    const std::string answer = std::to_string(doubled) + ' ';
    co_await peer.write(answer);
    co_await peer.flush();
    co_await dwell::sleep_for(10ms);
  }
}

TEST(allocation_failure, of_what_a_coroutine_waits_for) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, waits_for_much); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   plain_peer client = s.connect(port);
                   client->send("x");
                   s.advance(100ms);
                   const bool whole = client.received() == "42 later ";
                   client->shutdown_send();
                   s.advance(1s);
                   return whole;
                 }});
}

task<> framed_echo(connection& peer) {
  dwell::framed messages{peer, dwell::length_prefixed{}};
  while (auto message = co_await messages.read()) {
    if (!co_await messages.write(message)) co_return;
  }
}

TEST(allocation_failure, of_framed_messages) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, framed_echo); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   plain_peer client = s.connect(port);
                   const std::string body = pattern(6'000);
                   std::string said{"\0\0\x17\x70", 4};
                   said += body;
                   client->send(said.substr(0, 3'000));
                   s.advance(10ms);
                   client->send(said.substr(3'000) + said);
                   s.advance(100ms);
                   const bool whole = client.received() == said + said;
                   client->shutdown_send();
                   s.advance(1s);
                   return whole;
                 }});
}

// ── HTTP ──

task<http::response> upload(http::exchange& with) {
  std::size_t size = 0;
  while (auto part = co_await with.read()) size += part.size();
  co_return http::response{.body = std::to_string(size)};
}

task<> ticks(http::exchange& with) {
  with.begin({});
  for (int i = 0; i < 3; ++i) {
    if (!co_await with.write("tick ")) co_return;
    co_await dwell::sleep_for(1ms);
  }
}

task<> upgraded(http::exchange& with) {
  if (!with.upgrade("echo")) co_return;
  while (auto data = co_await with.read()) {
    if (!co_await with.write(data)) co_return;
  }
}

http::router site() {
  http::router routes;
  routes.get("/hello/:name", [](const http::request& request) {
    std::string body{"Hello, "};
    body.append(request.param("name")).append("!");
    return http::response{.body = std::move(body), .headers = {{"X-Made", "by hand, and long"}}};
  });
  routes.post("/echo", [](const http::request& request) {
    return http::response{.body = std::string{request.body()}};
  });
  routes.get("/slow", [](const http::request&) -> task<http::response> {
    co_await dwell::sleep_for(5ms);
    co_return http::response{.body = "late"};
  });
  routes.get("/throws", [](const http::request&) -> http::response {
    throw std::runtime_error{"a text that is too long for the string itself"};
  });
  routes.post("/upload", upload).get("/ticks", ticks).get("/upgraded", upgraded);
  routes.get("/socket", http::websocket_handler([](http::websocket& socket) -> task<> {
               while (auto message = co_await socket.read()) {
                 if (!co_await socket.write_text(message.text())) co_return;
               }
             }));
  routes.get("/files/*path", http::files{DWELL_FAULT_FILES});
  return routes;
}

exchange http_exchange(std::string request, std::vector<std::string> parts) {
  return {.serve = [](scarce_server& s) { return s.serve({}, http::serve(site())); },
          .talk =
              [request = std::move(request), parts = std::move(parts)](scarce_server& s,
                                                                       std::uint16_t port) {
                plain_peer client = s.connect(port);
                client->send(request);
                s.advance(100ms);
                bool whole = true;
                for (const std::string& each : parts) {
                  whole = whole && client.received().find(each) != std::string_view::npos;
                }
                client->shutdown_send();
                s.advance(1s);
                return whole;
              }};
}

TEST(allocation_failure, of_http) {
  fail_each(
      http_exchange("GET /hello/world HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /throws HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
                    {"Hello, world!", "late", " 500 ", " 404 "}));
}

TEST(allocation_failure, of_http_bodies) {
  std::string request{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"};
  request.append(pattern(9'000));
  request.append("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  request.append("1388\r\n").append(pattern(5'000)).append("\r\n0\r\n\r\n");
  fail_each(http_exchange(request, {pattern(9'000), "5000"}));
}

TEST(allocation_failure, of_http_streams) {
  fail_each(
      http_exchange("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /upgraded HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                    "Upgrade: echo\r\n\r\nmarco polo",
                    {"tick ", " 101 ", "marco polo"}));
}

TEST(allocation_failure, of_a_websocket) {
  std::string request{
      "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};
  request.append(dwell::testing::text_frame("marco polo"));
  request.append(dwell::testing::text_frame(pattern(3'000)));
  fail_each(http_exchange(request, {" 101 ", "marco polo", pattern(3'000)}));
}

TEST(allocation_failure, of_files) {
  fail_each(
      http_exchange("GET /files/scarce_memory.hpp HTTP/1.1\r\nHost: a\r\n\r\n"
                    "GET /files/none HTTP/1.1\r\nHost: a\r\n\r\n",
                    {" 200 ", "namespace scarce_memory", " 404 "}));
}

TEST(allocation_failure, of_refused_http) {
  fail_each(http_exchange("GET / HTTP/1.1\r\nHost : a\r\n\r\n", {" 400 "}));
}

// ── TLS ──

/// A client's whole conversation, a step at a time.
class tls_talk {
 public:
  tls_talk(scarce_server& server, std::uint16_t port, const dwell::tls_session_options& how = {})
      : socket_{server.connect(port)}, session_{how} {}

  void step() {
    if (socket_.is_over() || failed_) return;
    try {
      session_.feed(socket_.received().substr(fed_));
      fed_ = socket_.received().size();
      if (!session_.is_open()) session_.handshake();
      if (session_.is_open() && !std::exchange(wrote_, true)) session_.write(said_);
      if (session_.is_open()) heard_ += session_.read(1 << 20);
    } catch (const std::runtime_error&) {  // the server has cut it, or said what it thinks of it
      failed_ = true;
    }
    socket_->send(session_.unsent());
    session_.unsent().clear();
  }
  void end() {
    session_.write_close_notify();
    socket_->send(session_.unsent());
    socket_->shutdown_send();
  }
  bool is_whole() const { return heard_ == said_; }

 private:
  plain_peer socket_;
  dwell::tls_session session_;
  std::string said_ = pattern(20'000);
  std::string heard_;
  std::size_t fed_ = 0;
  bool wrote_ = false;
  bool failed_ = false;
};

bool talks_tls(scarce_server& server, std::uint16_t port, int clients,
               const dwell::tls_session_options& how = {}) {
  std::vector<std::unique_ptr<tls_talk>> all;
  for (int i = 0; i < clients; ++i) all.push_back(std::make_unique<tls_talk>(server, port, how));
  for (int i = 0; i < 12; ++i) {
    for (const auto& each : all) each->step();
    server.advance(2ms);
  }
  bool whole = true;
  for (const auto& each : all) {
    each->end();
    whole = whole && each->is_whole();
  }
  server.advance(1s);
  return whole;
}

std::uint16_t serve_tls(scarce_server& server) {
  return server.serve({.tls = dwell::tls_options{.certificate = dwell::test_certificate()}}, echo);
}

exchange tls_exchange(int version, int clients, std::int64_t stride) {
  return {.serve = serve_tls,
          .talk =
              [version, clients](scarce_server& s, std::uint16_t port) {
                return talks_tls(s, port, clients, {.version = version});
              },
          .stride = stride};
}

TEST(allocation_failure, of_tls_1_3) { fail_each(tls_exchange(TLS1_3_VERSION, 1, 5)); }
TEST(allocation_failure, of_tls_1_2) { fail_each(tls_exchange(TLS1_2_VERSION, 1, 5)); }

/// More than begin in one turn.
TEST(allocation_failure, of_many_handshakes) { fail_each(tls_exchange(TLS1_3_VERSION, 6, 131)); }

TEST(allocation_failure, of_tls_with_a_client_certificate) {
  fail_each({.serve =
                 [](scarce_server& s) {
                   const dwell::tls_options how{
                       .certificate = dwell::test_certificate(),
                       .clients = dwell::client_certificates::required,
                       .client_authorities = dwell::test_certificate().chain};
                   return s.serve({.tls = how}, [](connection& peer) -> task<> {
                     const std::string who{peer.tls()->peer};
                     EXPECT_EQ(who, "CN=localhost");
                     co_await echo(peer);
                   });
                 },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   return talks_tls(s, port, 1, {.certificate = &dwell::test_certificate()});
                 },
             .stride = 41});
}

/// What a thread makes once: a failure must not last. Each try has a thread of its own.
TEST(allocation_failure, of_the_first_tls_connection_of_a_thread) {
  exchange alone = tls_exchange(TLS1_3_VERSION, 1, 7);
  alone.apart = true;
  fail_each(alone);
}

// ── connections that we make, and what runs beside ──

exchange proxy_exchange() {
  return {.serve =
              [](scarce_server& s) {
                const std::uint16_t behind = s.serve({}, echo);
                const auto* const counts = s.counts_close();
                return s.serve({}, [behind, counts](connection& client) -> task<> {
                  const dwell::connect_options to{
                      .host = "127.0.0.1", .port = behind, .on_close = counts};
                  auto upstream = co_await dwell::connect(to);
                  if (!upstream) co_return client.close(close_reason::overload);
                  while (auto data = co_await client.read()) {
                    co_await upstream->write(data);
                    auto back = co_await upstream->read();
                    if (!back || !co_await client.write(back)) co_return;
                  }
                });
              },
          .talk = [](scarce_server& s, std::uint16_t port) { return echoes(s, port, 100); }};
}

TEST(allocation_failure, of_a_proxy) { fail_each(proxy_exchange()); }

TEST(allocation_failure, of_what_is_spawned_and_owed) {
  struct session {
    dwell::owed answer;
  };
  const auto spawned = [](connection& peer) -> task<> {
    co_await dwell::sleep_for(2ms);
    peer.send("spawned ");
  };
  const dwell::callbacks<session> handlers{
      .on_data = [spawned](connection& peer, session& self, dwell::bytes data) {
        self.answer = peer.owe();
        peer.spawn(spawned(peer));
        peer.after(5ms, [&self](connection& later) {
          later.send("owed ");
          self.answer = {};
        });
        return data.size();
      }};
  fail_each({.serve = [handlers](scarce_server& s) { return s.serve({}, handlers); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   plain_peer client = s.connect(port);
                   client->send("x");
                   s.advance(100ms);
                   const bool whole = client.received() == "spawned owed ";
                   client->shutdown_send();
                   s.advance(40s);
                   return whole;
                 }});
}

/// Something outside that a coroutine waits for.
class event final : public dwell::suspension {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { suspend(waiter); }
  void await_resume() const noexcept {}
  void happens() { resume_later(); }
};

TEST(allocation_failure, does_not_keep_a_coroutine_from_going_on) {
  event* awaited = nullptr;
  scarce_server server;
  const std::uint16_t port = server.serve({}, [&awaited](connection& peer) -> task<> {
    event mine;
    awaited = &mine;
    co_await mine;
    peer.send("went on");
  });
  plain_peer client = server.connect(port);
  server.advance(1ms);
  ASSERT_NE(awaited, nullptr);
  {
    const scarce_memory::whose scope{true};
    scarce_memory::refuse(1, 1'000'000);
    awaited->happens();
    scarce_memory::refuse_nothing();
  }
  server.advance(1s);
  EXPECT_EQ(client.received(), "went on");
}

// ── the server's own work ──

TEST(allocation_failure, of_a_walk_over_all_connections) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, echo); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   plain_peer client = s.connect(port);
                   client->send("x");
                   s.advance(1ms);
                   int seen = 0;
                   s.facade().each([&](connection&) { ++seen; }, [] {});
                   s.advance(100ms);
                   client->close();
                   s.advance(1s);
                   return seen == 1;
                 }});
}

TEST(allocation_failure, at_deadlines) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({.deadlines = {.idle = 1s}}, echo); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   plain_peer quiet = s.connect(port);
                   plain_peer busy = s.connect(port);
                   for (int i = 0; i < 4; ++i) {
                     busy->send("x");
                     s.advance(500ms);
                   }
                   return !quiet.is_open() && busy.is_open() && busy.received() == "xxxx";
                 }});
}

exchange crowded(dwell::when_full full) {
  return {.process = {.connections = 2, .full = full},
          .serve = [](scarce_server& s) { return s.serve({.deadlines = {.idle = 2s}}, echo); },
          .talk =
              [](scarce_server& s, std::uint16_t port) {
                s.connect(port);
                s.connect(port);
                s.advance(100ms);
                plain_peer three = s.connect(port);
                three->send("x");
                s.advance(10s);
                plain_peer last = s.connect(port);
                last->send("x");
                s.advance(100ms);
                const bool served = last.received() == "x";
                last->close();
                s.advance(5s);
                return served;
              }};
}

TEST(allocation_failure, when_full_and_evicting) {
  fail_each(crowded(dwell::when_full::evict_idle));
}
TEST(allocation_failure, when_full_and_pausing) {
  fail_each(crowded(dwell::when_full::pause_accept));
}
TEST(allocation_failure, when_full_and_refusing) { fail_each(crowded(dwell::when_full::refuse)); }

TEST(allocation_failure, when_descriptors_have_run_out) {
  fail_each({.serve = [](scarce_server& s) { return s.serve({}, echo); },
             .talk =
                 [](scarce_server& s, std::uint16_t port) {
                   s.net().faults.accept_failures = 1;
                   plain_peer client = s.connect(port);
                   client->send("x");
                   s.advance(1s);
                   s.net().faults.accept_failures = 0;
                   s.advance(1s);
                   const bool served = client.received() == "x";
                   client->close();
                   s.advance(1s);
                   return served;
                 }});
}

}  // namespace

int main(int count, char** arguments) {
  scarce_memory::rule_openssl();
  ::testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
