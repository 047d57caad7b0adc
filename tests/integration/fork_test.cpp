// A forked child holds copies of our descriptors: what we close stays open, and in the epoll set,
// where it can no longer be removed.

#include <dwell/dwell.hpp>

#include "support/counted_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <signal.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// Holds everything this process has open.
class holding_child {
 public:
  holding_child() : id_{::fork()} {
    if (id_ == 0) {
      while (true) ::pause();
    }
  }
  holding_child(const holding_child&) = delete;
  holding_child& operator=(const holding_child&) = delete;
  ~holding_child() {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  bool lives() const noexcept { return id_ > 0; }

 private:
  pid_t id_;
};

const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(data);
  return data.size();
}};

void expect_echo(raw_client& client, const std::string& text) {
  client.send(text);
  EXPECT_EQ(client.receive(text.size()), text);
}

class a_forked_child : public ::testing::TestWithParam<int> {};

TEST_P(a_forked_child, that_holds_closed_connections_does_not_make_the_loop_spin) {
  counted_server server{{.deadlines = {.idle = 1min}}, echo};
  std::vector<raw_client> closed;
  std::vector<raw_client> open;
  for (int i = 0; i < GetParam(); ++i) {
    closed.push_back(server.connect());
    expect_echo(closed.back(), "hello");
  }
  for (int i = 0; i < 3; ++i) {
    open.push_back(server.connect());
    expect_echo(open.back(), "hello");
  }
  std::atomic<std::uint32_t> last{0};
  const holding_child child;
  ASSERT_TRUE(child.lives());
  server->each([&](connection& peer) {
    if (static_cast<int>(last++) < GetParam())
      peer.close(close_reason::finished, close_method::abort);
  });
  ASSERT_TRUE(server.records().wait_for(static_cast<std::size_t>(GetParam())));
  // The child keeps them alive: what comes now wakes a loop that has forgotten them.
  for (raw_client& each : closed) static_cast<void>(each.try_send("is anybody there?"));
  std::this_thread::sleep_for(200ms);
  server.count_from_here();
  for (raw_client& each : closed) static_cast<void>(each.try_send("hello?"));
  std::this_thread::sleep_for(500ms);
  EXPECT_LT(server.turns(), 50U);
  for (raw_client& each : open) expect_echo(each, "still served");
  raw_client fresh = server.connect();
  expect_echo(fresh, "so am I");
}

INSTANTIATE_TEST_SUITE_P(, a_forked_child, ::testing::Values(1, 2, 7, 200),
                         ::testing::PrintToStringParamName());

// After a stall the sockets are looked at from the timer's turn: the set is renewed all the same.
TEST(a_forked_child_and_a_stall, leave_the_loop_awake) {
  counted_server server{{.deadlines = {.idle = 300ms}},
                        callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          if (data.text() == "stall") std::this_thread::sleep_for(500ms);
                          peer.send(data);
                          return data.size();
                        }}};
  std::vector<raw_client> closed;
  for (int i = 0; i < 5; ++i) {
    closed.push_back(server.connect());
    expect_echo(closed.back(), "hello");
  }
  const holding_child child;
  server->each([](connection& peer) { peer.close(close_reason::finished, close_method::abort); });
  ASSERT_TRUE(server.records().wait_for(5));
  for (int i = 0; i < 4; ++i) {
    raw_client staller = server.connect();
    for (raw_client& each : closed) static_cast<void>(each.try_send("x"));
    expect_echo(staller, "stall");
  }
  raw_client fresh = server.connect();
  expect_echo(fresh, "served");
  EXPECT_EQ(fresh.receive_to_end().error, 0);  // reaped: its deadline is kept too
}

}  // namespace
}  // namespace dwell
