// The handler's contract: who is called when, what happens when it throws, refuses or closes.

#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// What happened, in order.
class story {
 public:
  void tell(const std::string& what) {
    const std::lock_guard lock{mutex_};
    events_.push_back(what);
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return events_;
  }
  bool has(const std::string& what) const {
    const auto events = all();
    return std::find(events.begin(), events.end(), what) != events.end();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> events_;
};

story* told = nullptr;  // by session's constructor, which takes nothing

struct session {
  session() { told->tell("constructed"); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() { told->tell("destroyed"); }
  std::string text;
};

class handler_contract : public ::testing::Test {
 protected:
  handler_contract() { told = &story_; }
  story story_;
};

TEST_F(handler_contract, a_session_lives_from_before_on_open_to_after_on_close) {
  {
    running_server server{
        {.mode = connection_mode::short_lived},
        callbacks<session>{.on_open =
                               [&](connection&, session& self) {
                                 story_.tell("on_open");
                                 self.text = std::string(100, 'x');  // leaks are seen by ASan
                                 return true;
                               },
                           .on_data =
                               [&](connection& peer, session& self, bytes data) {
                                 story_.tell("on_data");
                                 EXPECT_EQ(self.text.size(), 100U);
                                 peer.send(data);
                                 return data.size();
                               },
                           .on_close =
                               [&](connection& peer, session& self, const close_record&) {
                                 story_.tell("on_close");
                                 EXPECT_EQ(self.text.size(), 100U);
                                 EXPECT_EQ(peer.native_handle(), -1);
                                 EXPECT_FALSE(peer.send("too late"));
                               }}};
    raw_client client = server.connect();
    client.send("hello");
    EXPECT_EQ(client.receive_to_end().data, "hello");
    EXPECT_TRUE(eventually([&] { return story_.has("destroyed"); }));
  }
  EXPECT_EQ(story_.all(), (std::vector<std::string>{"constructed", "on_open", "on_data", "on_close",
                                                    "destroyed"}));
}

TEST_F(handler_contract, sessions_are_destroyed_with_the_server) {
  {
    running_server server{{}, callbacks<session>{}};
    raw_client client = server.connect();
    ASSERT_TRUE(server.wait_for_live(1));
    ASSERT_TRUE(eventually([&] { return story_.has("constructed"); }));
  }
  EXPECT_TRUE(story_.has("destroyed"));
}

TEST_F(handler_contract, on_open_may_refuse) {
  running_server server{
      {},
      callbacks<>{.on_open = [](connection&, no_session&) { return false; },
                  .on_data =
                      [](connection&, no_session&, bytes data) {
                        ADD_FAILURE() << "called for a refused connection";
                        return data.size();
                      },
                  .on_close = [&](connection&, no_session&,
                                  const close_record&) { story_.tell("on_close"); }}};
  raw_client client = server.connect();
  EXPECT_EQ(client.receive_to_end().error, ECONNRESET);
  EXPECT_EQ(server.records().only().reason, close_reason::overload);
  EXPECT_EQ(story_.all(), std::vector<std::string>{"on_close"});
}

// ── exceptions ──

enum class thrower { on_open, on_data, on_writable, on_peer_closed, on_deadline, after, posted };

class throwing : public ::testing::TestWithParam<thrower> {};

TEST_P(throwing, ends_the_connection_as_handler_failed) {
  const std::string flood(32'000'000, 'x');  // more than the kernel takes at once
  std::atomic<bool> may_throw = true;
  const auto throws_in = [&](thrower where) {
    if (GetParam() == where && may_throw) throw std::runtime_error{"on purpose"};
  };
  std::atomic<int> closed = 0;
  connection_id id{};
  std::atomic<bool> opened = false;
  running_server server{
      {.deadlines = {.idle = 1min, .read = 100ms}, .limits = {.output = 64'000'000}},
      callbacks<>{
          .on_open =
              [&](connection& peer, no_session&) {
                id = peer.id();
                opened = true;
                throws_in(thrower::on_open);
                if (GetParam() == thrower::after) {
                  peer.after(1ms, [&](connection&) { throws_in(thrower::after); });
                }
                return true;
              },
          .on_data =
              [&](connection& peer, no_session&, bytes data) {
                throws_in(thrower::on_data);
                if (GetParam() == thrower::on_writable) peer.send(flood);
                return GetParam() == thrower::on_deadline ? 0 : data.size();
              },
          .on_writable = [&](connection&, no_session&) { throws_in(thrower::on_writable); },
          .on_peer_closed = [&](connection&, no_session&) { throws_in(thrower::on_peer_closed); },
          .on_deadline = [&](connection&, no_session&,
                             close_reason) { throws_in(thrower::on_deadline); },
          .on_close = [&](connection&, no_session&, const close_record&) { ++closed; }}};
  raw_client client = server.connect();
  ASSERT_TRUE(eventually([&] { return opened.load(); }));
  const bool at_once = GetParam() == thrower::on_open || GetParam() == thrower::after;
  if (!at_once) client.send("hello");
  if (GetParam() == thrower::on_peer_closed) client.shutdown_send();
  if (GetParam() == thrower::posted) {
    server->post(id, [](connection&) { throw 42; });  // not even a std::exception
  }
  EXPECT_EQ(client.receive_to_end().error, ECONNRESET) << "a cut answer looked finished";
  const close_record record = server.records().only();
  EXPECT_EQ(record.reason, close_reason::handler_failed);
  EXPECT_EQ(record.done, close_method::abort);
  EXPECT_EQ(closed, 1);
  may_throw = false;
  raw_client another = server.connect();  // the server is none the worse
  EXPECT_TRUE(server.wait_for_live(1));
}

std::string name_of(const ::testing::TestParamInfo<thrower>& instance) {
  constexpr const char* names[] = {"on_open",     "on_data", "on_writable", "on_peer_closed",
                                   "on_deadline", "after",   "posted"};
  return names[static_cast<int>(instance.param)];
}

INSTANTIATE_TEST_SUITE_P(, throwing,
                         ::testing::Values(thrower::on_open, thrower::on_data, thrower::on_writable,
                                           thrower::on_peer_closed, thrower::on_deadline,
                                           thrower::after, thrower::posted),
                         name_of);

TEST_F(handler_contract, on_close_may_throw_too) {
  running_server server{{.mode = connection_mode::short_lived},
                        callbacks<session>{.on_data =
                                               [](connection& peer, session&, bytes data) {
                                                 peer.send(data);
                                                 return data.size();
                                               },
                                           .on_close =
                                               [](connection&, session&, const close_record&) {
                                                 throw std::runtime_error{"on purpose"};
                                               }}};
  for (int i = 0; i < 3; ++i) {
    raw_client client = server.connect();
    client.send("hello");
    EXPECT_EQ(client.receive_to_end().data, "hello");
  }
  EXPECT_TRUE(server.wait_for_live(0));
  EXPECT_TRUE(eventually([&] { return std::ranges::count(story_.all(), "destroyed") == 3; }));
}

struct session_that_throws {
  session_that_throws() { throw std::runtime_error{"on purpose"}; }
  int unused = 0;
};

TEST_F(handler_contract, a_session_that_cannot_be_made_ends_the_connection) {
  running_server server{{},
                        callbacks<session_that_throws>{
                            .on_close = [&](connection&, session_that_throws&,
                                            const close_record&) { story_.tell("on_close"); }}};
  raw_client client = server.connect();
  EXPECT_EQ(client.receive_to_end().error, ECONNRESET);
  EXPECT_EQ(server.records().only().reason, close_reason::handler_failed);
  EXPECT_TRUE(story_.all().empty());  // there is no session to close with
}

// ── closing ──

TEST_F(handler_contract, close_may_be_called_in_every_callback) {
  const std::string flood(32'000'000, 'x');  // more than the kernel takes at once
  for (const std::string where : {"on_open", "on_data", "on_writable", "on_peer_closed",
                                  "on_deadline", "on_close", "after"}) {
    SCOPED_TRACE(where);
    std::atomic<int> closed = 0;
    const auto closes_in = [&](connection& peer, const std::string& here) {
      if (here != where) return;
      peer.close();
      EXPECT_FALSE(peer.is_open());
      peer.close(close_reason::protocol_error);  // the first one wins
      EXPECT_FALSE(peer.send("too late"));
    };
    running_server server{
        {.deadlines = {.idle = 1min, .read = 100ms, .close = 500ms},
         .limits = {.output = 64'000'000}},
        callbacks<>{
            .on_open =
                [&](connection& peer, no_session&) {
                  closes_in(peer, "on_open");
                  if (where == "after") {
                    peer.after(1ms, [&](connection& again) { closes_in(again, "after"); });
                  }
                  return true;
                },
            .on_data =
                [&](connection& peer, no_session&, bytes data) {
                  closes_in(peer, "on_data");
                  if (where == "on_writable") peer.send(flood);
                  return where == "on_deadline" ? 0 : data.size();
                },
            .on_writable = [&](connection& peer, no_session&) { closes_in(peer, "on_writable"); },
            .on_peer_closed =
                [&](connection& peer, no_session&) {
                  closes_in(peer, "on_peer_closed");
                  if (where == "on_close") peer.close();
                },
            .on_deadline = [&](connection& peer, no_session&,
                               close_reason) { closes_in(peer, "on_deadline"); },
            .on_close =
                [&](connection& peer, no_session&, const close_record&) {
                  closes_in(peer, "on_close");
                  ++closed;
                }}};
    raw_client client = server.connect();
    static_cast<void>(client.try_send("hello"));
    if (where == "on_peer_closed" || where == "on_close") client.shutdown_send();
    EXPECT_EQ(client.receive_to_end().error, 0);
    client.close();
    const close_record record = server.records().only();
    EXPECT_EQ(record.reason, close_reason::finished);
    EXPECT_TRUE(eventually([&] { return closed == 1; }));
  }
}

// One connection closes all others, from inside its own callback.
TEST_F(handler_contract, a_callback_may_close_other_connections) {
  std::vector<connection*> open;  // of one loop: its thread only
  running_server server{
      {},
      callbacks<>{.on_open =
                      [&](connection& peer, no_session&) {
                        open.push_back(&peer);
                        return true;
                      },
                  .on_data =
                      [&](connection& peer, no_session&, bytes data) {
                        for (connection* each : open) {
                          each->send("bye");
                          each->close();
                          EXPECT_FALSE(each->is_open());
                        }
                        EXPECT_EQ(peer.reason(), close_reason::finished);
                        return data.size();
                      },
                  .on_close = [&](connection& peer, no_session&,
                                  const close_record&) { std::erase(open, &peer); }}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(200));
  clients[77].send("everybody out");
  for (raw_client& each : clients) {
    EXPECT_EQ(each.receive_to_end().data, "bye");
    each.close();
  }
  ASSERT_TRUE(server.records().wait_for(200));
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(server.records().size(), 200U);
}

// Callbacks never run inside each other.
TEST_F(handler_contract, callbacks_do_not_nest) {
  int depth = 0;
  const auto enter = [&] { EXPECT_EQ(depth++, 0); };
  std::vector<connection*> open;
  running_server server{
      {.limits = {.output = 32'000'000, .high_watermark = 1'000, .low_watermark = 500}},
      callbacks<>{.on_open =
                      [&](connection& peer, no_session&) {
                        enter();
                        open.push_back(&peer);
                        --depth;
                        return true;
                      },
                  .on_data =
                      [&](connection&, no_session&, bytes data) {
                        enter();
                        for (connection* each : open) each->send(std::string(20'000, 'x'));
                        if (data.text() == "close") {
                          for (connection* each : open) each->close();
                        }
                        --depth;
                        return data.size();
                      },
                  .on_writable = [&](connection&, no_session&) { enter(), --depth; },
                  .on_close =
                      [&](connection& peer, no_session&, const close_record&) {
                        enter();
                        std::erase(open, &peer);
                        --depth;
                      }}};
  std::vector<raw_client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(server.connect());
  ASSERT_TRUE(server.wait_for_live(20));
  for (int i = 0; i < 10; ++i) clients[3].send("go");
  clients[5].send("close");
  for (raw_client& each : clients) {
    static_cast<void>(each.receive_to_end());
    each.close();
  }
  EXPECT_TRUE(server.records().wait_for(20));
}

}  // namespace
}  // namespace dwell
