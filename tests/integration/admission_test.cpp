// The connection limit and the descriptor limit.

#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// "busy" is never answered, "done" ends that, "stall" holds the loop; anything else is echoed.
struct session {
  owed answer;
};
callbacks<session> answers(loop_stall* stall = nullptr) {
  return {.on_data = [stall](connection& peer, session& self, bytes data) {
    if (data.text() == "busy") {
      self.answer = peer.owe();
    } else if (data.text() == "stall") {
      stall->hold();
      peer.send(data);
    } else {
      self.answer = {};
      peer.send(data);
    }
    return data.size();
  }};
}

void expect_echo(raw_client& client, const std::string& text) {
  client.send(text);
  EXPECT_EQ(client.receive(text.size()), text);
}

std::vector<raw_client> fill(running_server& server, std::uint64_t count) {
  std::vector<raw_client> clients;
  for (std::uint64_t i = 0; i < count; ++i) {
    clients.push_back(server.connect());
    EXPECT_TRUE(server.wait_for_live(i + 1));
  }
  return clients;
}

// ── evict_idle ──

TEST(a_full_server, that_evicts_closes_the_longest_idle) {
  running_server server{{}, answers(), {.connections = 10, .full = when_full::evict_idle}};
  auto clients = fill(server, 10);
  std::this_thread::sleep_for(60ms);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (i != 6) expect_echo(clients[i], "active");
  }
  raw_client fresh = server.connect();
  expect_echo(fresh, "hello");
  EXPECT_EQ(clients[6].receive_to_end().error, ECONNRESET);
  EXPECT_EQ(server.records().only().reason, close_reason::overload);
  EXPECT_EQ(server->counts().evicted, 1U);
  EXPECT_EQ(server->counts().live, 10U);
}

TEST(a_full_server, that_evicts_spares_the_busy_and_waits_for_room) {
  running_server server{{}, answers(), {.connections = 3, .full = when_full::evict_idle}};
  auto clients = fill(server, 3);
  for (raw_client& each : clients) each.send("busy");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 12; }));
  raw_client waiting = server.connect();
  waiting.send("hello");
  EXPECT_TRUE(waiting.hears_nothing_for(150ms));
  EXPECT_EQ(server->counts().evicted, 0U);
  clients[1].send("done");  // idle again: it may go
  EXPECT_EQ(waiting.receive(5), "hello");
  EXPECT_EQ(server->counts().evicted, 1U);
  EXPECT_EQ(server->counts().live, 3U);
}

TEST(a_full_server, that_evicts_serves_a_flood_of_clients) {
  running_server server{{.mode = connection_mode::short_lived},
                        answers(),
                        {.threads = 2, .connections = 20, .full = when_full::evict_idle}};
  std::vector<raw_client> idle;
  for (int i = 0; i < 20; ++i) idle.push_back(server.connect());
  for (int i = 0; i < 500; ++i) {
    raw_client client = server.connect();
    client.send("hello");
    ASSERT_EQ(client.receive_to_end().data, "hello");
  }
  EXPECT_LE(server->counts().live, 20U);
}

// ── pause_accept ──

TEST(a_full_server, that_pauses_lets_clients_wait) {
  for (const int threads : {1, 3}) {
    SCOPED_TRACE(threads);
    running_server server{
        {}, answers(), {.threads = threads, .connections = 5, .full = when_full::pause_accept}};
    auto clients = fill(server, 5);
    std::vector<raw_client> waiting;
    for (int i = 0; i < 5; ++i) {
      waiting.push_back(server.connect());
      waiting.back().send("hello");
    }
    EXPECT_TRUE(waiting.back().hears_nothing_for(150ms));
    EXPECT_EQ(server->counts().live, 5U);
    clients.clear();
    for (raw_client& each : waiting) EXPECT_EQ(each.receive(5), "hello");
    EXPECT_EQ(server->counts().opened, 10U);
    EXPECT_EQ(server->counts().refused, 0U);
  }
}

TEST(a_full_server, that_pauses_does_not_spin) {
  running_server server{{}, answers(), {.connections = 2, .full = when_full::pause_accept}};
  auto clients = fill(server, 2);
  raw_client waiting = server.connect();
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(500ms);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  const auto microseconds = [](const timeval& t) { return t.tv_sec * 1'000'000 + t.tv_usec; };
  EXPECT_LT(microseconds(after.ru_utime) + microseconds(after.ru_stime) -
                microseconds(before.ru_utime) - microseconds(before.ru_stime),
            100'000);
}

// ── refuse ──

TEST(a_full_server, that_refuses_tells_at_once) {
  running_server server{{}, answers(), {.connections = 5, .full = when_full::refuse}};
  auto clients = fill(server, 5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(server.connect().receive_to_end().error, ECONNRESET);
  EXPECT_EQ(server->counts().refused, 20U);
  EXPECT_EQ(server->counts().live, 5U);
  for (raw_client& each : clients) expect_echo(each, "still here");
  clients.pop_back();
  ASSERT_TRUE(server.wait_for_live(4));
  raw_client fits = server.connect();
  expect_echo(fits, "hello");
  EXPECT_EQ(server.connect().receive_to_end().error, ECONNRESET);
}

// Admission is asked for before each accept of a batch, and the answers differ within one.
TEST(a_full_server, that_refuses_counts_right_within_a_batch) {
  loop_stall stall;
  running_server server{{}, answers(&stall), {.connections = 10, .full = when_full::refuse}};
  raw_client staller = server.connect();
  staller.send("stall");
  stall.wait_until_held();
  std::vector<raw_client> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(server.connect());
  stall.let_go();
  EXPECT_EQ(staller.receive(5), "stall");
  ASSERT_TRUE(eventually([&] { return server->counts().refused == 41; }));
  EXPECT_EQ(server->counts().live, 10U);
  for (int i = 0; i < 9; ++i) expect_echo(clients[static_cast<std::size_t>(i)], "hello");
  clients.clear();
  staller.close();
  ASSERT_TRUE(server.wait_for_live(0));
  auto again = fill(server, 10);  // no place was lost, none was won
  EXPECT_EQ(server.connect().receive_to_end().error, ECONNRESET);
}

// ── EMFILE ──

/// Every descriptor this process may have but `spare`.
class few_descriptors {
 public:
  explicit few_descriptors(std::size_t spare) {
    for (int fd = 0; (fd = ::dup(STDERR_FILENO)) >= 0;) taken_.push_back(fd);
    for (std::size_t i = 0; i < spare && !taken_.empty(); ++i) give_one();
  }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;
  ~few_descriptors() { give_all(); }
  void give_one() {
    ::close(taken_.back());
    taken_.pop_back();
  }
  void give_all() {
    while (!taken_.empty()) give_one();
  }

 private:
  std::vector<int> taken_;
};

std::int64_t cpu_microseconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * std::int64_t{1'000'000} +
         used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

// The server runs in a child with few descriptors, its clients here.
TEST(emfile, neither_spins_nor_lasts) {
  for (const int threads : {1, 4}) {
    SCOPED_TRACE(threads);
    child process{[threads](child& self) {
      const rlimit few{.rlim_cur = 200, .rlim_max = 200};
      EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
      // Nobody has to leave for those that wait.
      running_server server{{}, answers(), {.threads = threads, .full = when_full::pause_accept}};
      EXPECT_EQ(::fcntl(STDERR_FILENO, F_GETFD), 0);
      few_descriptors full{5};
      self.say(std::to_string(server.where().port));
      EXPECT_TRUE(eventually([&] { return server->counts().accept_failed != 0; }));
      const auto failed = server->counts().accept_failed;
      const auto cpu = cpu_microseconds();
      std::this_thread::sleep_for(1s);
      EXPECT_LT(server->counts().accept_failed - failed, 50U);
      EXPECT_GT(server->counts().accept_failed - failed, 1U);
      EXPECT_LT(cpu_microseconds() - cpu, 50'000 * threads);
      self.say("full");
      full.give_all();
      EXPECT_TRUE(eventually([&] { return server->counts().live == 40; }, 1s)) << "recovers late";
      self.say("recovered");
      EXPECT_TRUE(server.records().wait_for(40));
      return 0;
    }};
    const endpoint where{"127.0.0.1", static_cast<std::uint16_t>(std::stoi(process.hear()))};
    std::vector<raw_client> clients;
    for (int i = 0; i < 40; ++i) clients.emplace_back(where);
    EXPECT_EQ(process.hear(), "full");
    EXPECT_EQ(process.hear(), "recovered");
    for (raw_client& each : clients) expect_echo(each, "hello");
    clients.clear();
    EXPECT_EQ(process.wait().exit_code, 0);
  }
}

TEST(descriptors, bound_the_number_of_connections) {
  child process{[](child& self) {
    const rlimit few{.rlim_cur = 300, .rlim_max = 300};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    running_server server{{}, answers(), {.connections = 10'000, .full = when_full::refuse}};
    self.say(std::to_string(server.where().port));
    EXPECT_TRUE(eventually([&] { return server->counts().refused != 0; }));
    EXPECT_EQ(server->counts().accept_failed, 0U) << "the reserve is too small";
    EXPECT_GT(server->counts().live, 200U);
    return 0;
  }};
  const endpoint where{"127.0.0.1", static_cast<std::uint16_t>(std::stoi(process.hear()))};
  std::vector<raw_client> clients;
  try {
    for (int i = 0; i < 300; ++i) clients.emplace_back(where);
  } catch (const std::system_error&) {  // it has seen enough
  }
  EXPECT_EQ(process.wait().exit_code, 0);
}

}  // namespace
}  // namespace dwell
