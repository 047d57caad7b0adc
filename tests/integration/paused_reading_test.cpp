// Epoll reports HUP and ERR whether one asks or not, so a connection that nobody reads from can
// turn a loop into a spin. Each situation is held for a second, and the loop's turns are counted.

#include <dwell/dwell.hpp>

#include "support/counted_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace dwell {
namespace {

using namespace std::chrono_literals;

enum class event { fin, reset, both_shut };

std::string to_string(event what) {
  return what == event::fin ? "FIN" : what == event::reset ? "RST" : "both sides shut";
}

/// What the handler has learned, for the test's thread.
struct learned {
  std::atomic<std::size_t> bytes = 0;
  std::atomic<bool> end = false;
  std::atomic<bool> closed = false;
  std::mutex mutex;
  connection_id id{};  // of the connection, once it is open

  void opened(connection_id which) {
    const std::lock_guard lock{mutex};
    id = which;
  }
  connection_id connection() {
    connection_id which{};
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock{mutex};
      which = id;
      return which.generation != 0;
    }));
    return which;
  }
};

/// A server in which reading has come to a stop, and how to go on.
struct situation {
  std::string name;
  handler what;
  limits bounds{};
  std::function<void(connection&)> read_on{};
  std::string request = "request";
};

/// `cause` on the peer's side, then a second of quiet; returns the turns of it.
std::uint64_t hold(counted_server& server, learned& seen, raw_client& peer, event cause) {
  if (cause == event::both_shut) {
    server->post(seen.connection(), [](connection& c) { c.shutdown_send(); });
    if (!peer.hears_something()) ADD_FAILURE() << "no FIN came";
  }
  server.count_from_here();
  if (cause == event::reset) {
    peer.reset();
  } else {
    peer.shutdown_send();
  }
  std::this_thread::sleep_for(1s);
  return server.turns();
}

void expect_quiet(situation& where, learned& seen, event cause, bool ends_at_once = false) {
  SCOPED_TRACE(where.name + ", " + to_string(cause));
  counted_server server{{.deadlines = {.idle = 1min}, .limits = where.bounds}, where.what};
  raw_client peer = server.connect({.receive_buffer = 16 * 1024});
  peer.send(where.request);
  static_cast<void>(seen.connection());
  server.count_from_here();
  peer.send("more");  // nobody reads it now
  server.count_from_here();
  const std::uint64_t turns = hold(server, seen, peer, cause);
  EXPECT_LE(turns, 3U);
  if (!ends_at_once) {
    EXPECT_FALSE(seen.closed);
  }
  if (where.read_on && !seen.closed) {
    const bool taken = server->post(seen.connection(), [&](connection& c) { where.read_on(c); });
    EXPECT_TRUE(taken);
  }
  EXPECT_TRUE(eventually([&] { return seen.end || seen.closed; })) << "the handler never learned";
  if (cause != event::reset && !ends_at_once) {
    EXPECT_TRUE(eventually([&] { return seen.bytes == where.request.size() + 4; }))
        << seen.bytes << " bytes";
  }
}

class paused_reading : public ::testing::TestWithParam<event> {};

TEST_P(paused_reading, by_the_handler) {
  learned seen;
  situation where{
      .name = "paused",
      .what = callbacks<>{
          .on_open =
              [&](connection& c, no_session&) {
                seen.opened(c.id());
                return true;
              },
          .on_data =
              [&](connection& c, no_session&, bytes data) {
                seen.bytes += data.size();
                if (data.text() == "request") c.pause();
                return data.size();
              },
          .on_peer_closed = [&](connection&, no_session&) { seen.end = true; },
          .on_close = [&](connection&, no_session&, const close_record&) { seen.closed = true; }},
      .read_on = [](connection& c) { c.resume(); }};
  expect_quiet(where, seen, GetParam());
}

TEST_P(paused_reading, by_a_coroutine_that_does_something_else) {
  learned seen;
  std::atomic<bool> go_on = false;
  const auto busy = [&](connection& peer) -> task<> {
    seen.opened(peer.id());
    const auto request = co_await peer.read();
    seen.bytes += request.size();
    const auto wait = [&] {
      while (!go_on) std::this_thread::sleep_for(1ms);
    };
    co_await offload(wait);
    while (const auto more = co_await peer.read()) seen.bytes += more.size();
    seen.end = true;
  };
  situation where{.name = "coroutine", .what = busy, .read_on = [&](connection&) { go_on = true; }};
  expect_quiet(where, seen, GetParam());
}

// The end was read, and the handler goes on sending; only the reset is news.
TEST_P(paused_reading, at_the_end_of_input) {
  learned seen;
  const callbacks<> stays{
      .on_open =
          [&](connection& c, no_session&) {
            seen.opened(c.id());
            return true;
          },
      .on_data =
          [&](connection&, no_session&, bytes data) {
            seen.bytes += data.size();
            return data.size();
          },
      .on_peer_closed = [&](connection&, no_session&) { seen.end = true; },
      .on_close = [&](connection&, no_session&, const close_record&) { seen.closed = true; }};
  counted_server server{{.deadlines = {.idle = 1min}}, stays};
  raw_client peer = server.connect();
  peer.send("request");
  if (GetParam() == event::both_shut) {  // nothing is left to wait for: it ends at once
    server->post(seen.connection(), [](connection& c) { c.shutdown_send(); });
    ASSERT_TRUE(peer.hears_something());
    peer.shutdown_send();
    EXPECT_TRUE(eventually([&] { return seen.closed.load(); }));
    return;
  }
  peer.shutdown_send();
  ASSERT_TRUE(eventually([&] { return seen.end.load(); }));
  server.count_from_here();
  if (GetParam() == event::reset) peer.reset();
  std::this_thread::sleep_for(1s);
  EXPECT_LE(server.turns(), 3U);
  EXPECT_FALSE(seen.closed);
  server->post(seen.connection(), [](connection& c) { c.send("answer"); });
  if (GetParam() == event::reset) {
    EXPECT_TRUE(eventually([&] { return seen.closed.load(); }))
        << "a send to nobody went unnoticed";
  } else {
    EXPECT_EQ(peer.receive(6), "answer");
  }
}

TEST_P(paused_reading, above_the_high_watermark) {
  learned seen;
  const std::string flood(12'000'000, 'x');
  situation where{
      .name = "above the high watermark",
      .what = callbacks<>{
          .on_open =
              [&](connection& c, no_session&) {
                seen.opened(c.id());
                return true;
              },
          .on_data =
              [&](connection& c, no_session&, bytes data) {
                if (seen.bytes == 0) c.send(flood);
                seen.bytes += data.size();
                return data.size();
              },
          .on_peer_closed = [&](connection&, no_session&) { seen.end = true; },
          .on_close = [&](connection&, no_session&, const close_record&) { seen.closed = true; }},
      .bounds = {.output = 16'000'000}};
  if (GetParam() == event::reset) {  // queued output finds out by itself
    expect_quiet(where, seen, GetParam(), true);
    EXPECT_TRUE(seen.closed);
    return;
  }
  counted_server server{{.deadlines = {.idle = 1min}, .limits = where.bounds}, where.what};
  raw_client peer = server.connect({.receive_buffer = 16 * 1024});
  peer.send("request");
  static_cast<void>(seen.connection());
  server.count_from_here();
  if (GetParam() == event::both_shut) {  // ours waits behind what is queued
    server->post(seen.connection(), [](connection& c) { c.shutdown_send(); });
  }
  peer.send("more");
  server.count_from_here();
  peer.shutdown_send();
  std::this_thread::sleep_for(1s);
  EXPECT_LE(server.turns(), 3U);
  EXPECT_EQ(seen.bytes, 7U);
  EXPECT_EQ(peer.receive(flood.size()).size(), flood.size());
  EXPECT_TRUE(eventually([&] { return seen.end || seen.closed; }));
  EXPECT_EQ(seen.bytes, 11U);
}

INSTANTIATE_TEST_SUITE_P(, paused_reading,
                         ::testing::Values(event::fin, event::reset, event::both_shut),
                         [](const auto& instance) {
                           return instance.param == event::fin     ? "fin"
                                  : instance.param == event::reset ? "rst"
                                                                   : "both_shut";
                         });

}  // namespace
}  // namespace dwell
