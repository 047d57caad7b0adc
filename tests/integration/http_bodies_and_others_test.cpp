// One client that keeps a loop busy, and the others: only on real sockets does code take time.
#include <dwell/http.hpp>
#include <dwell/testing/loopback.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;

/// Slow, and never so fast that it would have to wait for its reader.
std::string piece() {
  std::this_thread::sleep_for(20ms);
  return std::string(300'000, 'x');
}

/// To HTTP/1.0 the end of the connection is that of the body, so it has to be a reset.
TEST(http_body, that_a_deadline_cuts_does_not_look_finished) {
  dwell::http::router routes;
  routes.get("/",
             [](const dwell::http::request&) { return dwell::http::response{.stream = piece}; });
  dwell::testing::loopback net;
  auto& server = net.serve({.deadlines = {.handle = 300ms}}, dwell::http::serve(std::move(routes)));
  auto client = net.connect(server);
  client.send("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(net.run_until([&] { return !client.is_open(); }, 20s));
  EXPECT_TRUE(net.run_until([&] { return client.got_reset(); }, 5s));
  EXPECT_EQ(client.record().reason, dwell::close_reason::handle_timeout);
  EXPECT_EQ(client.record().done, dwell::close_method::abort);
  EXPECT_TRUE(client.received().starts_with("HTTP/1.1 200 OK"));
}

/// A body gives way after 256 KiB, and before another piece of it the others are served.
TEST(http_body, that_is_slow_to_make_does_not_keep_others_waiting) {
  dwell::http::router routes;
  routes.get("/", [](const dwell::http::request&) { return dwell::http::response{.body = "OK"}; });
  routes.get("/slow",
             [](const dwell::http::request&) { return dwell::http::response{.stream = piece}; });
  dwell::testing::loopback net;
  auto& server = net.serve({}, dwell::http::serve(std::move(routes)));
  auto slow = net.connect(server);
  slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(net.run_until([&] { return slow.received().size() > 1'000'000; }, 20s));
  auto other = net.connect(server);
  other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(net.run_until([&] { return other.received().ends_with("OK"); }, 3s));
  slow.reset();
}

/// 300 KB at once: more than is received at a time, and than limits.message keeps.
TEST(http_pipelining, ten_thousand_requests_are_answered) {
  dwell::http::router routes;
  routes.get("/", [](const dwell::http::request&) { return dwell::http::response{.body = "OK"}; });
  routes.get("/later", [](const dwell::http::request&) -> dwell::task<dwell::http::response> {
    co_await dwell::sleep_for(1ms);
    co_return dwell::http::response{.body = "later"};
  });
  dwell::testing::loopback net;
  auto& server = net.serve({}, dwell::http::serve(std::move(routes)));
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += get;
  auto many = net.connect(server), other = net.connect(server);
  many.send(text + "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(net.run_until([&] { return !many.received().empty(); }, 20s));
  other.send(get);
  ASSERT_TRUE(net.run_until([&] { return other.received().ends_with("OK"); }, 20s));
  ASSERT_TRUE(net.run_until([&] { return many.received().ends_with("later"); }, 20s));
  EXPECT_TRUE(many.is_open());
}

}  // namespace
