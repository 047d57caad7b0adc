// The loop takes at most 128 events a turn, and 64 new connections. What is left behind is not
// lost.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <string>
#include <vector>

namespace dwell {
namespace {

/// One for each time a loop is held. They live as long as the test, declared before its server: a
/// loop may still be on its way out of one that has let it go.
struct loop_stalls {
  std::deque<loop_stall> all;
  std::atomic<loop_stall*> next = nullptr;
};

callbacks<> echo_that_stalls_in(loop_stalls& stalls) {
  return {.on_data = [&stalls](connection& peer, no_session&, bytes data) {
    if (data.text() == "stall") stalls.next.load()->hold();
    peer.send(data);
    return data.size();
  }};
}

/// Holds the loop while `cause` happens.
template <class Cause>
void with_the_loop_held(loop_stalls& stalls, raw_client& staller, Cause&& cause) {
  loop_stall& stall = stalls.all.emplace_back();
  stalls.next = &stall;
  staller.send("stall");
  stall.wait_until_held();
  cause();
  stall.let_go();
  EXPECT_EQ(staller.receive(5), "stall");
}

TEST(readiness, of_more_sockets_than_fit_a_batch_is_not_lost) {
  loop_stalls stalls;
  running_server server{{}, echo_that_stalls_in(stalls)};
  raw_client staller = server.connect();
  std::vector<raw_client> clients;
  for (int i = 0; i < 500; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(501));
  for (int round = 0; round < 20; ++round) {
    const std::string request = "request " + std::to_string(round);
    with_the_loop_held(stalls, staller, [&] {
      for (raw_client& each : clients) each.send(request);
    });
    for (raw_client& each : clients) ASSERT_EQ(each.receive(request.size()), request);
  }
}

TEST(readiness, of_more_new_connections_than_fit_a_batch_is_not_lost) {
  loop_stalls stalls;
  running_server server{{}, echo_that_stalls_in(stalls)};
  raw_client staller = server.connect();
  std::vector<raw_client> clients;
  with_the_loop_held(stalls, staller, [&] {
    for (int i = 0; i < 500; ++i) {
      clients.push_back(server.connect());
      clients.back().send("hello");
    }
  });
  for (raw_client& each : clients) ASSERT_EQ(each.receive(5), "hello");
}

TEST(readiness, of_ends_among_many_is_not_lost) {
  loop_stalls stalls;
  running_server server{{}, echo_that_stalls_in(stalls)};
  raw_client staller = server.connect();
  std::vector<raw_client> clients;
  for (int i = 0; i < 500; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(501));
  with_the_loop_held(stalls, staller, [&] {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (i % 3 == 0) clients[i].send("last words");
      if (i % 2 == 0) {
        clients[i].reset();
      } else {
        clients[i].close();
      }
    }
  });
  ASSERT_TRUE(server.records().wait_for(500));
  EXPECT_EQ(server->counts().live, 1U);
}

// More than one buffer of input: one recv a turn, and the rest is still announced.
TEST(readiness, of_more_bytes_than_fit_the_buffer_is_not_lost) {
  std::size_t received = 0;
  running_server server{{}, callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          received += data.size();
                          if (received == 2'000'000) peer.send("all");
                          return data.size();
                        }}};
  raw_client client = server.connect();
  client.send(std::string(2'000'000, 'x'));
  EXPECT_EQ(client.receive(3), "all");
}

}  // namespace
}  // namespace dwell
