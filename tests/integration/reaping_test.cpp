// Idle deadlines on the kernel's sockets and clock; every exact claim is tested in simulation.

#include <dwell/dwell.hpp>

#include "support/each_wire.hpp"
#include "support/loop_stall.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

/// "stall" holds the loop; anything else is echoed.
callbacks<> echo_that_stalls_in(loop_stall& stall) {
  return {.on_data = [&stall](connection& peer, no_session&, bytes data) {
    if (data.text() == "stall") {
      stall.hold();
    } else {
      peer.send(data);
    }
    return data.size();
  }};
}

class reaping : public each_wire {};
INSTANTIATE_TEST_SUITE_P(over, reaping, both_wires(), name_of);

TEST_P(reaping, is_never_early_and_not_much_late) {
  const std::size_t connections = over_tls() ? 60 : 300;  // a handshake takes its time
  constexpr auto idle = 400ms;
  running_server server{over_it({.deadlines = {.idle = idle}}), echo};
  std::vector<raw_client> clients;
  std::vector<clock::time_point> began;
  for (std::size_t i = 0; i < connections; ++i) {
    began.push_back(clock::now());
    clients.push_back(server.connect());
  }
  for (std::size_t i = 0; i < connections; ++i) {
    const auto end = clients[i].receive_to_end();
    const auto lived = clock::now() - began[i];
    clients[i].close();
    EXPECT_EQ(end.error, 0);
    EXPECT_GE(lived, idle - 50ms);
  }
  ASSERT_TRUE(server.records().wait_for(connections));
  std::vector<duration> ages;
  for (const close_record& record : server.records().all()) {
    EXPECT_EQ(record.reason, close_reason::idle_timeout);
    EXPECT_EQ(record.phase, phase::idle);
    EXPECT_GE(record.age, idle);  // by the loop's own clock: never early
    ages.push_back(record.age);
  }
  std::ranges::sort(ages);
  EXPECT_LE(ages[connections / 2], idle + (over_tls() ? 1'000ms : 250ms));
}

TEST_P(reaping, spares_the_busy) {
  constexpr auto idle = 1s;
  running_server server{over_it({.deadlines = {.idle = idle}}), echo};
  raw_client quiet = server.connect();
  std::vector<raw_client> busy;
  for (int i = 0; i < 20; ++i) busy.push_back(server.connect());
  for (int round = 0; round < 20; ++round) {
    for (raw_client& each : busy) each.send("ping");
    for (raw_client& each : busy) ASSERT_EQ(each.receive(4), "ping");
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_EQ(quiet.receive_to_end().error, 0);
  quiet.close();
  EXPECT_EQ(server.records().only().reason, close_reason::idle_timeout);
  EXPECT_EQ(server->counts().live, busy.size());
}

// Both the loop's look before the deadline and the pass over ready sockets after a stall would do.
TEST_P(reaping, a_request_that_came_before_the_deadline_is_served) {
  loop_stall stall;
  running_server server{over_it({.deadlines = {.idle = 300ms}}), echo_that_stalls_in(stall)};
  raw_client late = server.connect();
  raw_client stalls = server.connect();
  late.send("first");
  EXPECT_EQ(late.receive(5), "first");
  stalls.send("stall");
  stall.wait_until_held();
  late.send("just in time");
  std::this_thread::sleep_for(400ms);  // its deadline passes
  stall.let_go();
  EXPECT_EQ(late.receive(12), "just in time");
  EXPECT_FALSE(late.hears_something(100ms));
}

TEST_P(reaping, many_at_once_with_requests_in_time_are_all_served) {
  const std::size_t many = over_tls() ? 50 : 500;  // a handshake takes its time
  const duration idle = over_tls() ? 900ms : 300ms;
  loop_stall stall;
  running_server server{over_it({.deadlines = {.idle = idle}}), echo_that_stalls_in(stall)};
  raw_client stalls = server.connect();
  std::vector<raw_client> late;
  for (std::size_t i = 0; i < many; ++i) late.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(many + 1));
  stalls.send("stall");
  stall.wait_until_held();
  for (raw_client& each : late) each.send("just in time");
  std::this_thread::sleep_for(idle + 100ms);
  stall.let_go();
  for (raw_client& each : late) EXPECT_EQ(each.receive(12), "just in time");
}

TEST_P(reaping, each_phase_has_its_deadline) {
  const callbacks<> never_answers{.on_data = [](connection& peer, no_session&, bytes data) {
    if (data.text() == "half") return std::size_t{0};  // not yet a message
    peer.after(1h, [owed = peer.owe()](connection&) {});
    return data.size();
  }};
  running_server server{over_it({.deadlines = {.idle = 10s, .read = 200ms, .handle = 300ms}}),
                        never_answers};
  raw_client half = server.connect();
  half.send("half");
  EXPECT_EQ(half.receive_to_end().error, 0);
  half.close();
  EXPECT_EQ(server.records().only().reason, close_reason::read_timeout);
  raw_client whole = server.connect();
  whole.send("a whole message");
  EXPECT_EQ(whole.receive_to_end().error, 0);
  whole.close();
  ASSERT_TRUE(server.records().wait_for(2));
  const close_record record = server.records().all().back();
  EXPECT_EQ(record.reason, close_reason::handle_timeout);
  EXPECT_EQ(record.phase, phase::handle);
  EXPECT_GE(record.age, 300ms);
}

TEST_P(reaping, a_peer_that_does_not_read_ends_at_the_write_deadline) {
  const std::string flood(8'000'000, 'x');
  const callbacks<> floods{.on_data = [&flood](connection& peer, no_session&, bytes data) {
    peer.send(flood);
    return data.size();
  }};
  running_server server{
      over_it({.deadlines = {.idle = 10s, .write = 400ms}, .limits = {.output = 16'000'000}}),
      floods};
  raw_client client = server.connect({.receive_buffer = 8'192});
  client.send("go");
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::write_timeout);
  EXPECT_EQ(record.phase, phase::write);
  EXPECT_EQ(record.done, close_method::abort);
  EXPECT_GE(record.age, 400ms);
  EXPECT_GT(record.unsent, 0U);
}

}  // namespace
}  // namespace dwell
