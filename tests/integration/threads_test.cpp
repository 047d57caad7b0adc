// Reaching connections from other threads: post, each, owed.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// The ids of open connections, for other threads.
class roster {
 public:
  void add(connection_id id) {
    const std::lock_guard lock{mutex_};
    ids_.push_back(id);
  }
  std::vector<connection_id> all() const {
    const std::lock_guard lock{mutex_};
    return ids_;
  }
  bool wait_for(std::size_t count) const {
    return eventually([&] { return all().size() == count; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<connection_id> ids_;
};

callbacks<> joins(roster& everybody) {
  return {.on_open = [&everybody](connection& peer, no_session&) {
    everybody.add(peer.id());
    return true;
  }};
}

/// Tells on which thread it is destroyed; a loop's threads are learned by running on them.
struct last_seen {
  explicit last_seen(std::atomic<std::thread::id>& where) : where_{&where} {}
  last_seen(const last_seen&) = delete;
  last_seen& operator=(const last_seen&) = delete;
  ~last_seen() { *where_ = std::this_thread::get_id(); }
  std::atomic<std::thread::id>* where_;
};

std::thread::id thread_of(running_server& server, connection_id id) {
  std::atomic<std::thread::id> where{};
  EXPECT_TRUE(server->post(id, [&](connection&) { where = std::this_thread::get_id(); }));
  EXPECT_TRUE(eventually([&] { return where.load() != std::thread::id{}; }));
  return where;
}

// ── post ──

TEST(post, runs_on_the_connections_loop_in_order) {
  roster everybody;
  std::map<std::uint32_t, std::thread::id> thread_of_loop;
  running_server server{{}, joins(everybody), {.threads = 3}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(everybody.wait_for(30));
  constexpr int posts = 200;
  const auto ids = everybody.all();
  for (const connection_id id : ids) thread_of_loop.emplace(id.loop, thread_of(server, id));
  std::vector<std::thread> threads;
  for (char name = 'a'; name < 'e'; ++name) {
    threads.emplace_back([&, name] {
      for (int i = 0; i < posts; ++i) {
        for (const connection_id id : ids) {
          const bool taken = server->post(id, [&thread_of_loop, name, i](connection& peer) {
            EXPECT_EQ(std::this_thread::get_id(), thread_of_loop[peer.id().loop]);
            peer.send(std::string(1, name) + std::to_string(i) + ' ');
          });
          EXPECT_TRUE(taken);
        }
      }
    });
  }
  for (std::thread& each : threads) each.join();
  server->each([](connection& peer) { peer.close(); });
  for (raw_client& each : clients) {
    const std::string heard = each.receive_to_end().data;
    each.close();
    std::map<char, int> next;
    std::size_t from = 0;
    while (from < heard.size()) {
      const std::size_t to = heard.find(' ', from);
      EXPECT_EQ(std::stoi(heard.substr(from + 1, to - from - 1)), next[heard[from]]++);
      from = to + 1;
    }
    for (char name = 'a'; name < 'e'; ++name) EXPECT_EQ(next[name], posts);
  }
}

TEST(post, to_a_connection_that_has_gone_is_destroyed_unrun_on_the_loop) {
  roster everybody;
  running_server server{{}, joins(everybody)};
  raw_client stays = server.connect();
  ASSERT_TRUE(everybody.wait_for(1));
  const std::thread::id loop_thread = thread_of(server, everybody.all()[0]);
  raw_client goes = server.connect();
  ASSERT_TRUE(everybody.wait_for(2));
  goes.close();
  ASSERT_TRUE(server.records().wait_for(1));
  raw_client reuses_the_slot = server.connect();
  ASSERT_TRUE(everybody.wait_for(3));
  std::atomic<std::thread::id> destroyed_on{};
  std::atomic<bool> ran = false;
  auto token = std::make_unique<last_seen>(destroyed_on);
  EXPECT_TRUE(server->post(everybody.all()[1],
                           [&ran, token = std::move(token)](connection&) { ran = true; }));
  ASSERT_TRUE(eventually([&] { return destroyed_on.load() != std::thread::id{}; }));
  EXPECT_EQ(destroyed_on.load(), loop_thread);
  EXPECT_FALSE(ran);
}

TEST(post, never_reaches_a_later_connection_in_the_same_slot) {
  roster everybody;
  running_server server{{}, joins(everybody), {.threads = 2}};
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> ran = 0;
  std::thread poster{[&] {
    while (!over) {
      for (const connection_id id : everybody.all()) {
        server->post(id, [id, &ran](connection& peer) {
          EXPECT_EQ(peer.id(), id);
          ++ran;
        });
      }
      std::this_thread::sleep_for(1ms);
    }
  }};
  for (int round = 0; round < 100; ++round) {
    std::vector<raw_client> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(server.connect());
    if (round % 2 == 0) {
      for (raw_client& each : clients) each.reset();
    }
  }
  over = true;
  poster.join();
  EXPECT_TRUE(server.wait_for_live(0));
  EXPECT_GT(ran, 0U);
}

TEST(post, is_refused_when_the_mailbox_is_full) {
  loop_stall stall;
  roster everybody;
  running_server server{{}, joins(everybody), {.mailbox = 10}};
  raw_client client = server.connect();
  ASSERT_TRUE(everybody.wait_for(1));
  const connection_id id = everybody.all()[0];
  EXPECT_TRUE(server->post(id, [&](connection&) { stall.hold(); }));
  stall.wait_until_held();
  std::atomic<int> ran = 0;
  int taken = 0;
  while (taken < 1'000 && server->post(id, [&](connection&) { ++ran; })) ++taken;
  EXPECT_EQ(taken, 10);
  EXPECT_FALSE(server->post(id, [&](connection&) { ++ran; }));
  stall.let_go();
  EXPECT_TRUE(eventually([&] { return ran == 10; }));
  EXPECT_TRUE(server->post(id, [&](connection&) { ++ran; }));
  EXPECT_TRUE(eventually([&] { return ran == 11; }));
}

TEST(post, to_no_connection_of_this_server_is_refused_or_dropped) {
  running_server server{{}, callbacks<>{}};
  EXPECT_FALSE(server->post({.generation = 1, .slot = 0, .loop = 7}, [](connection&) {}));
  std::atomic<std::thread::id> destroyed_on{};
  auto token = std::make_unique<last_seen>(destroyed_on);
  server->post({}, [token = std::move(token)](connection&) { ADD_FAILURE(); });
  EXPECT_TRUE(eventually([&] { return destroyed_on.load() != std::thread::id{}; }));
}

TEST(post, after_the_end_is_refused_and_the_function_destroyed) {
  roster everybody;
  auto token = std::make_shared<int>();
  {
    running_server server{{}, joins(everybody)};
    raw_client client = server.connect();
    ASSERT_TRUE(everybody.wait_for(1));
    server->stop();
    server->wait();
    server->post(everybody.all()[0], [token](connection&) {});
  }
  EXPECT_EQ(token.use_count(), 1);
}

// ── each ──

TEST(each, shows_every_connection_on_its_loop_and_says_when_done) {
  roster everybody;
  running_server server{{}, joins(everybody), {.threads = 3}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 1'500; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(everybody.wait_for(1'500));
  std::mutex mutex;
  std::set<connection_id> seen;
  std::map<std::uint32_t, std::set<std::thread::id>> threads;
  std::atomic<int> done = 0;
  server->each(
      [&](connection& peer) {
        const std::lock_guard lock{mutex};
        EXPECT_TRUE(seen.insert(peer.id()).second) << "shown twice";
        threads[peer.id().loop].insert(std::this_thread::get_id());
      },
      [&] { ++done; });
  ASSERT_TRUE(eventually([&] { return done == 1; }));
  const std::lock_guard lock{mutex};
  EXPECT_EQ(seen.size(), 1'500U);
  EXPECT_EQ(threads.size(), 3U);
  for (const auto& [loop, which] : threads) EXPECT_EQ(which.size(), 1U);
}

TEST(each, tells_of_each_loop_apart) {
  loop_stall stall;
  const callbacks<> holds{.on_data = [&](connection&, no_session&, bytes data) {
    stall.hold();
    return data.size();
  }};
  std::mutex mutex;
  std::vector<std::uint32_t> done;
  const auto how_many = [&] {
    const std::lock_guard lock{mutex};
    return done.size();
  };
  running_server server{{}, holds, {.threads = 3}};
  EXPECT_EQ(server->loops(), 3U);
  raw_client client = server.connect();
  client.send("hold");
  stall.wait_until_held();
  server->each([](connection&) {},
               [&](std::uint32_t loop) {
                 const std::lock_guard lock{mutex};
                 done.push_back(loop);
               });
  EXPECT_TRUE(eventually([&] { return how_many() == 2; }));
  stall.let_go();
  EXPECT_TRUE(eventually([&] { return how_many() == 3; }));
  std::ranges::sort(done);
  EXPECT_EQ(done, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(each, of_a_server_that_has_ended_is_done_at_once) {
  running_server server{{}, callbacks<>{}, {.threads = 3}};
  EXPECT_EQ(server->stage(), server_stage::running);
  server->drain();
  server->wait();
  EXPECT_EQ(server->stage(), server_stage::ended);
  int done = 0;
  server->each([](connection&) { ADD_FAILURE() << "nobody is there"; }, [&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(each, of_a_server_that_never_ran_is_done_when_it_goes) {
  int done = 0;
  {
    server never{quietly({.threads = 2})};
    EXPECT_EQ(never.stage(), server_stage::made);
    never.each([](connection&) {}, [&] { ++done; });
    EXPECT_EQ(done, 0);
  }
  EXPECT_EQ(done, 1);
}

TEST(each, may_send_and_close) {
  running_server server{{}, callbacks<>{}, {.threads = 2}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(100));
  server->each([](connection& peer) {
    peer.send("bye");
    peer.close();
  });
  for (raw_client& each : clients) {
    EXPECT_EQ(each.receive_to_end().data, "bye");
    each.close();
  }
  EXPECT_TRUE(server.records().wait_for(100));
}

TEST(each, that_throws_ends_only_that_connection) {
  running_server server{{}, callbacks<>{}};
  raw_client one = server.connect();
  raw_client two = server.connect();
  ASSERT_TRUE(server.wait_for_live(2));
  std::atomic<int> visits = 0;
  server->each([&](connection&) {
    if (++visits == 1) throw std::runtime_error{"on purpose"};
  });
  EXPECT_EQ(server.records().only().reason, close_reason::handler_failed);
  EXPECT_EQ(visits, 2);
  EXPECT_EQ(server->counts().live, 1U);
}

// ── owed ──

/// Hands each request to a thread, with the answer owed.
class workshop {
 public:
  ~workshop() {
    for (std::thread& each : threads_) each.join();
  }
  template <class Job>
  void take(Job job) {
    const std::lock_guard lock{mutex_};
    threads_.emplace_back(std::move(job));
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

TEST(owed, moves_with_the_job_and_keeps_the_connection) {
  workshop workers;
  running_server server{{.deadlines = {.idle = 150ms}},
                        callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          workers.take([&host = peer.server(), id = peer.id(), answer = peer.owe(),
                                        text = std::string{data.text()}]() mutable {
                            std::this_thread::sleep_for(500ms);  // longer than idle
                            const owed keeps = std::move(answer);
                            host.post(
                                id, [text](connection& again) { again.send("answer to " + text); });
                          });
                          return data.size();
                        }}};
  raw_client client = server.connect();
  client.send("question");
  EXPECT_EQ(client.receive(18), "answer to question");
  EXPECT_EQ(client.receive_to_end().error, 0);  // idle counts again
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::idle_timeout);
  EXPECT_GE(record.age, 650ms);
}

TEST(owed, released_after_the_connection_has_gone_touches_nobody) {
  std::mutex mutex;
  std::vector<owed> answers;
  running_server server{{}, callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                          const std::lock_guard lock{mutex};
                          answers.push_back(peer.owe());
                          return data.size();
                        }}};
  raw_client goes = server.connect();
  goes.send("question");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 8; }));
  goes.reset();
  ASSERT_TRUE(server.records().wait_for(1));
  raw_client reuses_the_slot = server.connect();
  reuses_the_slot.send("question");
  ASSERT_TRUE(eventually([&] { return server->counts().received == 16; }));
  std::atomic<phase> seen{phase::close};
  {
    const std::lock_guard lock{mutex};
    answers.erase(answers.begin());  // the first one's
  }
  std::atomic<bool> asked = false;
  server->each([&](connection& peer) {
    seen = peer.phase();
    asked = true;
  });
  ASSERT_TRUE(eventually([&] { return asked.load(); }));
  EXPECT_EQ(seen, phase::handle) << "the other connection's answer was taken for given";
}

TEST(owed, may_outlive_the_server) {
  owed answer;
  {
    std::mutex mutex;
    running_server server{{},
                          callbacks<>{.on_data = [&](connection& peer, no_session&, bytes data) {
                            const std::lock_guard lock{mutex};
                            answer = peer.owe();
                            return data.size();
                          }}};
    raw_client client = server.connect();
    client.send("question");
    ASSERT_TRUE(eventually([&] { return server->counts().received == 8; }));
  }
  answer = {};
}

TEST(counts, add_up_while_connections_come_and_go) {
  running_server server{{.mode = connection_mode::short_lived},
                        callbacks<>{.on_data =
                                        [](connection& peer, no_session&, bytes data) {
                                          peer.send(data);
                                          return data.size();
                                        }},
                        {.threads = 2}};
  std::atomic<bool> over = false;
  std::thread reader{[&] {
    while (!over) {
      const server_counts now = server->counts();
      EXPECT_LE(now.live, 100U);
    }
  }};
  for (int i = 0; i < 500; ++i) {
    raw_client client = server.connect();
    client.send("hello");
    EXPECT_EQ(client.receive_to_end().data, "hello");
  }
  EXPECT_TRUE(server.wait_for_live(0));
  over = true;
  reader.join();
  const server_counts end = server->counts();
  EXPECT_EQ(end.opened, 500U);
  EXPECT_EQ(end.closed[static_cast<std::size_t>(close_reason::finished)], 500U);
  EXPECT_EQ(end.time_wait[static_cast<std::size_t>(time_wait::here)], 500U);
  EXPECT_EQ(end.exchanges, 500U);
  EXPECT_EQ(end.received, 2'500U);
  EXPECT_EQ(end.sent, 2'500U);
}

// ── turns ──

TEST(turns, are_counted_by_their_length_and_what_is_left_for_their_end_is_part_of_them) {
  const callbacks<> slow_at_the_second_byte{
      .on_data = [](connection& peer, no_session&, bytes data) {
        if (data.text() == "b") {
          std::this_thread::sleep_for(200ms);
          peer.send("done");
        }
        peer.yield();
        return std::size_t{1};
      }};
  running_server server{{}, slow_at_the_second_byte};
  raw_client client = server.connect();
  client.send("ab");
  EXPECT_EQ(client.receive(4), "done");
  const auto longer_than_100_ms = [&] {
    const server_counts counts = server->counts();
    std::uint64_t long_ones = 0;
    for (std::size_t i = 0; i < counts.turns.size(); ++i) {
      if (i > 0 && turn_bounds[i - 1] >= 100) long_ones += counts.turns[i];
    }
    return long_ones;
  };
  EXPECT_TRUE(eventually([&] { return longer_than_100_ms() != 0; }, 5s));
  EXPECT_GE(server->counts().busy, 200ms);
  EXPECT_TRUE(eventually([&] { return server->counts().longest_turn_now == 0ms; }));
}

}  // namespace
}  // namespace dwell
