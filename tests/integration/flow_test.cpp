// Backpressure, half-close, message limits, and the last words at a deadline.

#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace dwell {
namespace {

using namespace std::chrono_literals;

// ── pausing ──

TEST(pause, keeps_bytes_with_the_kernel_until_resume) {
  std::atomic<int> calls = 0;
  std::atomic<std::size_t> received = 0;
  running_server server{{}, callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          ++calls;
                          received += data.size();
                          peer.pause();
                          peer.after(200ms, [](connection& again) { again.resume(); });
                          return data.size();
                        }}};
  raw_client client = server.connect();
  client.send("first");
  ASSERT_TRUE(eventually([&] { return calls == 1; }));
  client.send("second");
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(eventually([&] { return received == 11; }));
}

TEST(pause, slows_the_peer_down) {
  running_server server{{}, callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          peer.pause();
                          return data.size();
                        }}};
  raw_client client = server.connect();
  const std::string flood(1'000'000, 'x');
  const auto is_stuck = [&] {
    for (int i = 0; i < 10; ++i) {
      const auto [count, error] = client.try_send(flood);
      EXPECT_EQ(error, 0);
      if (count != 0) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  };
  EXPECT_TRUE(eventually(is_stuck));
  EXPECT_LE(server->counts().received, 64 * 1024U);
}

// A handler that has paused is at work: its handle deadline counts. What waits in the kernel stays
// unread.
TEST(pause, holds_at_the_handle_deadline_too) {
  std::atomic<int> calls = 0;
  running_server server{{.deadlines = {.handle = 200ms}},
                        callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          ++calls;
                          peer.pause();
                          return data.size();
                        }}};
  raw_client client = server.connect();
  client.send("first");
  ASSERT_TRUE(eventually([&] { return calls == 1; }));
  client.send("second");
  EXPECT_EQ(client.receive_to_end().error, 0);  // unread input does not turn the FIN into a reset
  client.close();
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::handle_timeout);
  EXPECT_EQ(record.unread, 6U);
  EXPECT_EQ(record.reap_raced, 0U);
  EXPECT_EQ(calls, 1);
}

// ── watermarks ──

TEST(watermarks, stop_input_above_and_tell_when_below) {
  std::atomic<int> writable = 0;
  std::atomic<std::size_t> asked = 0;
  std::atomic<std::size_t> most_queued = 0;
  const std::string block(100'000, 'x');
  running_server server{
      {.limits = {.output = 64'000'000, .high_watermark = 200'000, .low_watermark = 50'000}},
      callbacks<>{.on_data =
                      [&](connection& peer, no_session&, bytes data) {
                        asked += data.size();
                        for (std::size_t i = 0; i < data.size(); ++i) peer.send(block);
                        most_queued = std::max(most_queued.load(), peer.queued());
                        return data.size();
                      },
                  .on_writable =
                      [&](connection& peer, no_session&) {
                        ++writable;
                        EXPECT_LT(peer.queued(), 50'000U);
                      }}};
  raw_client client = server.connect({.receive_buffer = 16 * 1024});
  constexpr std::size_t requests = 100;
  for (std::size_t i = 0; i < requests; ++i) {
    client.send("r");
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_LT(asked, requests) << "went on asking above the high watermark";
  EXPECT_EQ(client.receive(requests * block.size()).size(), requests * block.size());
  EXPECT_EQ(asked, requests);
  EXPECT_GE(writable, 1);
}

TEST(watermarks, output_beyond_its_limit_ends_the_connection) {
  const std::string block(100'000, 'x');
  running_server server{{.limits = {.output = 300'000}},
                        callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          int sent = 0;
                          while (peer.send(block) && sent < 1'000) ++sent;
                          EXPECT_FALSE(peer.is_open());
                          EXPECT_EQ(peer.reason(), close_reason::write_timeout);
                          EXPECT_FALSE(peer.send("more"));
                          return data.size();
                        }}};
  raw_client client = server.connect({.receive_buffer = 16 * 1024});
  client.send("go");
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::write_timeout);
  EXPECT_EQ(record.done, close_method::abort);
}

TEST(send, delivers_in_order_whatever_the_sizes) {
  std::string expected;
  for (int i = 0; i < 3'000; ++i)
    expected +=
        std::string(static_cast<std::size_t>(i * 37 % 900), static_cast<char>('a' + i % 26));
  running_server server{{.limits = {.output = 4'000'000}},
                        callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          std::string_view rest = expected;
                          for (std::size_t size = 1; !rest.empty(); size = size * 3 % 50'021 + 1) {
                            const auto part = rest.substr(0, size);
                            EXPECT_TRUE(peer.send(part));
                            rest.remove_prefix(part.size());
                          }
                          peer.close();
                          return data.size();
                        }}};
  raw_client client = server.connect({.receive_buffer = 16 * 1024});
  client.send("go");
  EXPECT_TRUE(client.receive_to_end().data == expected);
}

// The listener corks for short mode: what is not the last part of an answer must not wait for 200
// ms.
TEST(send, an_answer_in_parts_is_not_held_back_in_short_mode) {
  running_server server{{.mode = connection_mode::short_lived},
                        callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          peer.send("first");
                          peer.after(
                              1s, [owed = peer.owe()](connection& again) { again.send("second"); });
                          return data.size();
                        }}};
  raw_client client = server.connect();
  const auto began = std::chrono::steady_clock::now();
  client.send("go");
  EXPECT_EQ(client.receive(5), "first");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 150ms);
  EXPECT_EQ(client.receive_to_end().data, "second");
}

// ── half-close ──

TEST(half_close, of_the_peer_leaves_the_answer_its_way) {
  running_server server{
      {}, callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
        peer.after(100ms, [owed = peer.owe()](connection& again) { again.send("answer"); });
        return data.size();
      }}};
  raw_client client = server.connect();
  client.send("question");
  client.shutdown_send();
  const auto end = client.receive_to_end();
  EXPECT_EQ(end.data, "answer");
  EXPECT_EQ(end.error, 0);
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::peer_closed);
  EXPECT_EQ(record.first, first_closer::peer);
}

TEST(half_close, of_the_peer_is_told_and_sending_goes_on) {
  running_server server{{}, callbacks<>{.on_peer_closed = [](connection& peer, no_session&) {
                          EXPECT_TRUE(peer.is_open());
                          EXPECT_EQ(peer.reason(), close_reason::peer_closed);
                          peer.send("goodbye");
                          peer.after(50ms, [](connection& again) {
                            again.send(" and thanks");
                            again.close();
                          });
                        }}};
  raw_client client = server.connect();
  client.shutdown_send();
  EXPECT_EQ(client.receive_to_end().data, "goodbye and thanks");
}

TEST(half_close, of_ours_leaves_receiving_open) {
  std::string heard;
  running_server server{{},
                        callbacks<>{.on_open =
                                        [](connection& peer, no_session&) {
                                          peer.send("speak");
                                          peer.shutdown_send();
                                          EXPECT_FALSE(peer.send("no more"));
                                          return true;
                                        },
                                    .on_data =
                                        [&](connection&, no_session&, bytes data) {
                                          heard += data.text();
                                          return data.size();
                                        }}};
  raw_client client = server.connect();
  EXPECT_EQ(client.receive_to_end().data, "speak");
  client.send("one ");
  std::this_thread::sleep_for(50ms);
  client.send("two");
  client.close();
  const close_record record = server.records().only();
  EXPECT_EQ(heard, "one two");
  EXPECT_EQ(record.first, first_closer::here);
  EXPECT_EQ(record.unread, 0U);
}

// ── messages ──

TEST(message, unconsumed_bytes_come_again_in_front) {
  running_server server{{}, callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          if (data.size() < 10) return std::size_t{0};
                          peer.send(data.first(10));
                          return std::size_t{10};
                        }}};
  raw_client client = server.connect();
  for (const char* part : {"012", "345", "6789ab"}) {
    client.send(part);
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(client.receive(10), "0123456789");
  client.send("cdefghij");
  EXPECT_EQ(client.receive(10), "abcdefghij");
}

TEST(message, beyond_its_limit_is_a_protocol_error) {
  running_server server{
      {.limits = {.message = 1'000}},
      callbacks<>{.on_data = [](connection&, no_session&, bytes) { return std::size_t{0}; }}};
  raw_client fits = server.connect();
  fits.send(std::string(1'000, 'x'));
  EXPECT_TRUE(fits.hears_nothing_for(100ms));
  raw_client too_long = server.connect();
  too_long.send(std::string(1'001, 'x'));
  EXPECT_EQ(too_long.receive_to_end().error, 0);  // lingering: unread input is no reset
  too_long.close();
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::protocol_error);
  EXPECT_TRUE(record.lingered);
  EXPECT_EQ(record.unread, 1'001U);
}

// ── last words ──

TEST(on_deadline, may_say_why_before_the_end) {
  for (const close_reason expected : {close_reason::read_timeout, close_reason::handle_timeout}) {
    SCOPED_TRACE(to_string(expected));
    const bool reads = expected == close_reason::read_timeout;
    running_server server{{.deadlines = {.idle = 1min, .read = 200ms, .handle = 200ms}},
                          callbacks<>{.on_data =
                                          [&](connection& peer, no_session&, bytes data) {
                                            if (reads) return std::size_t{0};
                                            peer.after(1h, [owed = peer.owe()](connection&) {});
                                            return data.size();
                                          },
                                      .on_deadline =
                                          [&](connection& peer, no_session&, close_reason why) {
                                            EXPECT_EQ(why, expected);
                                            EXPECT_TRUE(peer.send("too slow"));
                                          }}};
    raw_client client = server.connect();
    client.send("hello");
    const auto end = client.receive_to_end();
    EXPECT_EQ(end.data, "too slow");
    EXPECT_EQ(end.error, 0);
    client.close();
    EXPECT_EQ(server.records().only().reason, expected);
  }
}

TEST(set_deadline, counts_for_one_connection) {
  running_server server{{.deadlines = {.idle = 1min}},
                        callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          peer.set_deadline(phase::idle, 200ms);
                          peer.send(data);
                          return data.size();
                        }}};
  raw_client other = server.connect();
  raw_client client = server.connect();
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
  EXPECT_EQ(client.receive_to_end().error, 0);
  EXPECT_GE(server.records().only().age, 200ms);
  EXPECT_EQ(server->counts().live, 1U);
}

TEST(lifetime, ends_between_two_exchanges) {
  running_server server{{.deadlines = {.idle = 1min, .lifetime = 300ms}},
                        callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          peer.after(200ms,
                                     [owed = peer.owe()](connection& again) { again.send("."); });
                          return data.size();
                        }}};
  raw_client idle = server.connect();
  raw_client busy = server.connect();
  busy.send("1");
  EXPECT_EQ(busy.receive(1), ".");
  busy.send("2");
  EXPECT_EQ(busy.receive_to_end().data, ".");
  EXPECT_EQ(idle.receive_to_end().error, 0);
  ASSERT_TRUE(server.records().wait_for(2));
  for (const close_record& record : server.records().all()) {
    EXPECT_EQ(record.reason, close_reason::lifetime);
    EXPECT_GE(record.age, 300ms);
  }
}

}  // namespace
}  // namespace dwell
