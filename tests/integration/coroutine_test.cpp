#include <dwell/dwell.hpp>

#include "support/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

std::string ask(raw_client& peer, std::string_view text) {
  peer.send(text);
  return peer.receive(text.size());
}

bool forgets_everything(running_server& server) {
  return eventually(
      [&] { return server->counts().live == 0 && server->counts().waiting_for_frames == 0; });
}

std::string text_of(std::size_t size, char what) { return std::string(size, what); }

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

// ── reading and writing ──

TEST(coroutine, echoes_message_by_message) {
  running_server it{{}, echo};
  raw_client peer = it.connect();
  for (int i = 0; i < 1'000; ++i) {
    const std::string text = "message " + std::to_string(i);
    ASSERT_EQ(ask(peer, text), text);
  }
  peer.shutdown_send();
  EXPECT_EQ(peer.receive_to_end().data, "");
  const close_record record = it.records().only();
  EXPECT_EQ(record.reason, close_reason::peer_closed);
  EXPECT_EQ(record.first, first_closer::peer);
  EXPECT_EQ(record.exchanges, 1'000U);
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, echoes_more_than_fits_anywhere) {
  running_server it{{}, echo};
  raw_client peer = it.connect();
  const std::string sent = [] {
    std::string text;
    for (int i = 0; text.size() < 20'000'000; ++i) text += std::to_string(i);
    return text;
  }();
  std::thread writer{[&] {
    peer.send(sent);
    peer.shutdown_send();
  }};
  const std::string got = peer.receive_to_end().data;
  writer.join();
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size() << " bytes";
  EXPECT_EQ(it.records().only().reason, close_reason::peer_closed);
}

// What read() returns belongs to the connection: others may receive meanwhile.
TEST(coroutine, sleepers_get_their_own_bytes) {
  running_server it{{}, [](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        co_await sleep_for(50ms);
                        peer.send(data);
                        co_await sleep_for(20ms);
                        co_await peer.write(data);
                      }
                    }};
  for (const std::size_t size : {10UL, 4'096UL, 4'097UL, 30'000UL}) {
    raw_client first = it.connect();
    raw_client second = it.connect();
    for (int round = 0; round < 3; ++round) {
      first.send(text_of(size, 'a'));
      second.send(text_of(size, 'b'));
      EXPECT_TRUE(first.receive(2 * size) == text_of(2 * size, 'a')) << size;
      EXPECT_TRUE(second.receive(2 * size) == text_of(2 * size, 'b')) << size;
    }
  }
}

TEST(coroutine, input_that_comes_while_it_sleeps_is_read_later_and_in_order) {
  running_server it{{}, [](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        co_await sleep_for(1ms);
                        co_await peer.write(data);
                      }
                    }};
  raw_client peer = it.connect();
  std::string sent;
  for (int i = 0; i < 300; ++i) {
    const std::string piece = std::to_string(i) + ' ';
    peer.send(piece);
    sent += piece;
    if (i % 10 == 0) std::this_thread::sleep_for(1ms);
  }
  peer.shutdown_send();
  EXPECT_EQ(peer.receive_to_end().data, sent);
}

TEST(coroutine, answers_after_the_peer_has_closed_its_side) {
  running_server it{{}, [](connection& peer) -> task<> {
                      std::string all;
                      while (auto data = co_await peer.read()) all += data.text();
                      EXPECT_EQ(peer.reason(), close_reason::peer_closed);
                      EXPECT_TRUE(peer.is_open());
                      co_await sleep_for(10ms);
                      EXPECT_TRUE(co_await peer.write(all + " received"));
                    }};
  raw_client peer = it.connect();
  peer.send("all of it");
  peer.shutdown_send();
  EXPECT_EQ(peer.receive_to_end().data, "all of it received");
  EXPECT_EQ(it.records().only().reason, close_reason::peer_closed);
}

TEST(coroutine, learns_of_the_peers_end_that_came_while_it_slept) {
  std::promise<std::vector<std::string>> reads;
  running_server it{{}, [&](connection& peer) -> task<> {
                      std::vector<std::string> got;
                      co_await sleep_for(100ms);
                      while (auto data = co_await peer.read()) got.emplace_back(data.text());
                      reads.set_value(got);
                    }};
  {
    raw_client peer = it.connect();
    peer.send("early");
  }
  EXPECT_THAT(reads.get_future().get(), ::testing::ElementsAre("early"));
  EXPECT_TRUE(forgets_everything(it));
}

// Both sides are shut before anybody reads, so the kernel's set has dropped the connection and
// announces no more.
TEST(coroutine, reads_everything_that_was_left_behind) {
  std::promise<std::size_t> got;
  running_server it{{}, [&](connection& peer) -> task<> {
                      peer.shutdown_send();
                      co_await sleep_for(200ms);
                      std::size_t total = 0;
                      while (auto data = co_await peer.read()) total += data.size();
                      got.set_value(total);
                    }};
  {
    raw_client peer = it.connect();
    peer.send(text_of(200'000, 'x'));
  }
  EXPECT_EQ(got.get_future().get(), 200'000U);
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, ends_when_it_returns) {
  running_server it{{}, [](connection& peer) -> task<> {
                      const auto data = co_await peer.read();
                      co_await peer.write(data);
                    }};
  raw_client peer = it.connect();
  EXPECT_EQ(ask(peer, "once"), "once");
  EXPECT_EQ(peer.receive_to_end().data, "");
  const close_record record = it.records().only();
  EXPECT_EQ(record.reason, close_reason::finished);
  EXPECT_EQ(record.first, first_closer::here);
}

TEST(coroutine, may_return_before_it_suspends) {
  running_server it{{}, [](connection& peer) -> task<> {
                      peer.send("hello");
                      co_return;
                    }};
  EXPECT_EQ(it.connect().receive_to_end().data, "hello");
  EXPECT_EQ(it.records().only().reason, close_reason::finished);
}

TEST(coroutine, may_close_and_go_on) {
  std::promise<bool> wrote;
  running_server it{{}, [&](connection& peer) -> task<> {
                      co_await peer.read();
                      peer.send("bye");
                      peer.close(close_reason::overload, close_method::graceful);
                      EXPECT_FALSE(peer.is_open());
                      EXPECT_FALSE(co_await peer.read());
                      EXPECT_EQ(peer.reason(), close_reason::overload);
                      wrote.set_value(co_await peer.write("too late"));
                    }};
  raw_client peer = it.connect();
  peer.send("x");
  EXPECT_EQ(peer.receive_to_end().data, "bye");
  EXPECT_FALSE(wrote.get_future().get());
  EXPECT_EQ(it.records().only().reason, close_reason::overload);
}

TEST(coroutine, read_is_false_after_the_last_exchange) {
  std::atomic<int> reads = 0;
  running_server it{{.mode = connection_mode::short_lived}, [&](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        ++reads;
                        co_await peer.write(data);
                      }
                    }};
  raw_client peer = it.connect();
  EXPECT_EQ(ask(peer, "one"), "one");
  EXPECT_EQ(peer.receive_to_end().data, "");
  EXPECT_EQ(it.records().only().reason, close_reason::finished);
  EXPECT_EQ(it.records().only().exchanges, 1U);
  EXPECT_EQ(reads, 1);
}

TEST(coroutine, counts_an_answer_in_pieces_as_one_exchange) {
  running_server it{{.mode = connection_mode::short_lived}, [](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        peer.send("a");
                        co_await sleep_for(5ms);
                        peer.send("b");
                        co_await peer.flush();
                        co_await sleep_for(5ms);
                        co_await peer.write("c");
                      }
                    }};
  raw_client peer = it.connect();
  peer.send("x");
  EXPECT_EQ(peer.receive_to_end().data, "abc");
  EXPECT_EQ(it.records().only().exchanges, 1U);
}

// ── backpressure ──

TEST(coroutine, write_waits_for_a_slow_reader) {
  std::atomic<std::size_t> most = 0;
  running_server it{{}, [&](connection& peer) -> task<> {
                      co_await peer.read();
                      const std::string block = text_of(50'000, 'w');
                      for (int i = 0; i < 400; ++i) {
                        if (!co_await peer.write(block)) co_return;
                        most = std::max(most.load(), peer.queued());
                      }
                    }};
  raw_client peer = it.connect();
  peer.send("go");
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(peer.receive_to_end().data == text_of(20'000'000, 'w'));
  peer.close();
  EXPECT_LE(most, 64U * 1024);
  EXPECT_EQ(it.records().only().reason, close_reason::finished);
}

TEST(coroutine, flush_waits_until_the_kernel_has_everything) {
  std::promise<void> written;
  std::promise<std::size_t> queued_after;
  running_server it{{.limits = {.output = 16'000'000, .high_watermark = 12'000'000}},
                    [&](connection& peer) -> task<> {
                      co_await peer.read();
                      co_await peer.write(text_of(10'000'000, 'f'));
                      EXPECT_GT(peer.queued(), 0U);
                      written.set_value();
                      EXPECT_TRUE(co_await peer.flush());
                      queued_after.set_value(peer.queued());
                      EXPECT_TRUE(co_await peer.flush());
                    }};
  raw_client peer = it.connect({.receive_buffer = 16'384});
  peer.send("go");
  written.get_future().wait();  // nothing is read before
  EXPECT_TRUE(peer.receive_to_end().data == text_of(10'000'000, 'f'));
  EXPECT_EQ(queued_after.get_future().get(), 0U);
}

TEST(coroutine, write_and_flush_are_false_when_the_peer_does_not_read) {
  std::atomic<int> ended = 0;
  running_server it{{.deadlines = {.write = 200ms}}, [&](connection& peer) -> task<> {
                      co_await peer.read();
                      const std::string block = text_of(50'000, 'x');
                      while (co_await peer.write(block)) {
                      }
                      EXPECT_EQ(peer.reason(), close_reason::write_timeout);
                      EXPECT_FALSE(co_await peer.flush());
                      EXPECT_FALSE(co_await peer.read());
                      ++ended;
                    }};
  raw_client peer = it.connect({.receive_buffer = 16'384});
  peer.send("go");
  EXPECT_EQ(it.records().only().reason, close_reason::write_timeout);
  EXPECT_TRUE(forgets_everything(it));
  EXPECT_EQ(ended, 1);
}

// ── deadlines ──

TEST(coroutine, read_is_false_at_the_idle_deadline) {
  std::promise<std::optional<close_reason>> reason;
  running_server it{{.deadlines = {.idle = 100ms}}, [&](connection& peer) -> task<> {
                      EXPECT_EQ(peer.phase(), phase::idle);
                      while (co_await peer.read()) {
                      }
                      reason.set_value(peer.reason());
                    }};
  raw_client peer = it.connect();
  EXPECT_EQ(peer.receive_to_end().data, "");
  EXPECT_EQ(reason.get_future().get(), close_reason::idle_timeout);
  EXPECT_EQ(it.records().only().reason, close_reason::idle_timeout);
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, outside_of_read_it_is_in_its_handle_phase) {
  std::promise<bool> slept;
  running_server it{{.deadlines = {.idle = 10min, .handle = 100ms}},
                    [&](connection& peer) -> task<> {
                      co_await peer.read();
                      peer.send("x");  // which alone does not end the exchange
                      slept.set_value(co_await sleep_for(10min));
                    }};
  raw_client peer = it.connect();
  EXPECT_EQ(ask(peer, "?"), "x");
  EXPECT_EQ(peer.receive_to_end().data, "");
  const close_record record = it.records().only();
  EXPECT_EQ(record.reason, close_reason::handle_timeout);
  EXPECT_EQ(record.phase, phase::handle);
  EXPECT_FALSE(slept.get_future().get());
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, is_in_its_handle_phase_before_it_reads) {
  running_server it{{.deadlines = {.idle = 10min, .handle = 100ms}},
                    [](connection&) -> task<> { co_await sleep_for(10min); }};
  EXPECT_EQ(it.connect().receive_to_end().data, "");
  EXPECT_EQ(it.records().only().reason, close_reason::handle_timeout);
}

// ── sleep_for and after ──

TEST(coroutine, sleeps_as_long_as_it_asked) {
  std::promise<duration> took;
  running_server it{{}, [&](connection& peer) -> task<> {
                      const duration before = peer.age();
                      EXPECT_TRUE(co_await sleep_for(100ms));
                      EXPECT_TRUE(co_await sleep_for(0ms));
                      EXPECT_TRUE(co_await sleep_for(-5ms));
                      took.set_value(peer.age() - before);
                    }};
  raw_client peer = it.connect();
  EXPECT_GE(took.get_future().get(), 100ms);
}

// What it sleeps after its connection has ended takes its time, so that a careless loop cannot hold
// up the others; the slot waits for it, and is counted.
TEST(coroutine, may_sleep_on_when_its_connection_has_ended) {
  std::atomic<int> naps = 0;
  std::atomic<bool> enough = false;
  running_server it{{}, [&](connection& peer) -> task<> {
                      while (co_await peer.read()) {
                      }
                      while (!enough) {
                        peer.close();
                        co_await sleep_for(5ms);
                        ++naps;
                      }
                    }};
  { raw_client peer = it.connect(); }
  EXPECT_EQ(it.records().only().reason, close_reason::finished);
  EXPECT_TRUE(eventually([&] { return naps > 3; }));
  EXPECT_EQ(it->counts().waiting_for_frames, 1U);
  enough = true;
  EXPECT_TRUE(eventually([&] { return it->counts().waiting_for_frames == 0; }));
}

TEST(coroutine, after_runs_once_and_in_order) {
  running_server it{{}, [](connection& peer) -> task<> {
                      peer.after(60ms, [](connection& same) { same.send("c"); });
                      peer.after(20ms, [](connection& same) {
                        same.send("a");
                        same.after(20ms, [](connection& still) { still.send("b"); });
                      });
                      peer.after(100ms, [](connection& same) { same.close(); });
                      co_await peer.read();
                    }};
  EXPECT_EQ(it.connect().receive_to_end().data, "abc");
}

TEST(coroutine, after_is_dropped_with_its_connection) {
  auto kept = std::make_shared<int>(1);
  std::weak_ptr<int> watch = kept;
  std::atomic<bool> ran = false;
  running_server it{{}, [&, kept = std::move(kept)](connection& peer) -> task<> {
                      peer.after(10min, [&ran, copy = std::make_shared<std::shared_ptr<int>>(kept)](
                                            connection&) { ran = true; });
                      co_await peer.read();
                    }};
  EXPECT_EQ(watch.use_count(), 1);
  {
    raw_client peer = it.connect();
    EXPECT_TRUE(eventually([&] { return watch.use_count() == 2; }));
  }
  EXPECT_TRUE(eventually([&] { return watch.use_count() == 1; }));
  EXPECT_FALSE(ran);
}

TEST(coroutine, after_may_throw) {
  running_server it{{}, [](connection& peer) -> task<> {
                      peer.after(10ms,
                                 [](connection&) { throw std::runtime_error{"from a timer"}; });
                      co_await peer.read();
                    }};
  it.connect().receive_to_end();
  EXPECT_EQ(it.records().only().reason, close_reason::handler_failed);
}

// ── exceptions ──

TEST(coroutine, an_exception_ends_its_connection_only) {
  running_server it{{}, [](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        if (data.text() == "throw") throw std::runtime_error{"as told"};
                        if (data.text() == "throw an int") throw 1;
                        if (data.text() == "throw later") {
                          co_await sleep_for(5ms);
                          throw std::runtime_error{"as told"};
                        }
                        co_await peer.write(data);
                      }
                    }};
  raw_client good = it.connect();
  EXPECT_EQ(ask(good, "fine"), "fine");
  for (const char* order : {"throw", "throw an int", "throw later"}) {
    raw_client bad = it.connect();
    bad.send(order);
    EXPECT_EQ(bad.receive_to_end().data, "");
  }
  EXPECT_TRUE(it.records().wait_for(3));
  for (const close_record& record : it.records().all()) {
    EXPECT_EQ(record.reason, close_reason::handler_failed);
  }
  EXPECT_EQ(ask(good, "still fine"), "still fine");
  EXPECT_TRUE(eventually([&] { return it->counts().live == 1; }));
  EXPECT_EQ(it->counts().waiting_for_frames, 0U);
}

TEST(coroutine, may_throw_before_it_suspends) {
  running_server it{{}, [](connection&) -> task<> {
                      throw std::runtime_error{"at once"};
                      co_return;
                    }};
  it.connect().receive_to_end();
  EXPECT_EQ(it.records().only().reason, close_reason::handler_failed);
}

TEST(coroutine, may_throw_when_its_connection_ends) {
  std::atomic<int> thrown = 0;
  running_server it{{.deadlines = {.idle = 50ms}}, [&](connection& peer) -> task<> {
                      while (co_await peer.read()) {
                      }
                      ++thrown;
                      throw std::runtime_error{"nothing to read"};
                    }};
  it.connect().receive_to_end();
  EXPECT_EQ(it.records().only().reason, close_reason::idle_timeout);
  EXPECT_TRUE(forgets_everything(it));
  EXPECT_EQ(thrown, 1);
}

TEST(coroutine, catches_what_its_tasks_throw) {
  const auto fail = []() -> task<int> {
    co_await sleep_for(1ms);
    throw std::runtime_error{"below"};
  };
  running_server it{{}, [&](connection& peer) -> task<> {
                      co_await peer.read();
                      std::string answer = "nothing";
                      try {
                        co_await fail();
                      } catch (const std::runtime_error& failure) {
                        answer = failure.what();
                      }
                      co_await peer.write(answer);
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_EQ(peer.receive_to_end().data, "below");
}

// ── offload ──

// Holds workers until it is opened.
class gate {
 public:
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    opened_.notify_all();
  }
  void pass() {
    std::unique_lock lock{mutex_};
    ++waiting_;
    opened_.wait(lock, [&] { return open_; });
  }
  int waiting() {
    const std::lock_guard lock{mutex_};
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST(coroutine, offloads_to_another_thread_and_comes_back) {
  running_server it{{}, [](connection& peer) -> task<> {
                      const auto here = std::this_thread::get_id();
                      while (auto data = co_await peer.read()) {
                        auto reverse = [text = std::string{data.text()}, here] {
                          EXPECT_NE(std::this_thread::get_id(), here);
                          return std::string{text.rbegin(), text.rend()};
                        };
                        const std::string reversed = co_await offload(reverse);
                        EXPECT_EQ(std::this_thread::get_id(), here);
                        co_await peer.write(reversed);
                        int calls = 0;
                        co_await offload([&] { ++calls; });
                        EXPECT_EQ(calls, 1);
                      }
                    }};
  raw_client peer = it.connect();
  for (int i = 0; i < 50; ++i) {
    peer.send("a rather long text so that it is on the heap " + std::to_string(i) + '.');
    EXPECT_EQ(peer.receive(1), ".");
    peer.receive(std::string_view{"a rather long text so that it is on the heap "}.size() +
                 std::to_string(i).size());
  }
}

TEST(coroutine, offload_throws_what_the_work_throws) {
  running_server it{{}, [](connection& peer) -> task<> {
                      co_await peer.read();
                      auto fail = []() -> int { throw std::runtime_error{"from a worker"}; };
                      try {
                        co_await offload(fail);
                      } catch (const std::runtime_error& failure) {
                        peer.send(failure.what());
                      }
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_EQ(peer.receive_to_end().data, "from a worker");
}

TEST(coroutine, offloaded_work_outlives_its_connection_and_the_frame_waits) {
  gate closed;
  std::promise<bool> open_after;
  running_server it{{.deadlines = {.handle = 100ms}}, [&](connection& peer) -> task<> {
                      co_await peer.read();
                      std::string local = "the frame is still there";
                      auto work = [&] {
                        closed.pass();
                        return local.size();
                      };
                      EXPECT_EQ(co_await offload(work), 24U);
                      open_after.set_value(peer.is_open());
                      EXPECT_FALSE(co_await peer.write("nobody is there"));
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_EQ(peer.receive_to_end().data, "");
  EXPECT_EQ(it.records().only().reason, close_reason::handle_timeout);
  EXPECT_TRUE(eventually([&] { return it->counts().waiting_for_frames == 1; }));
  closed.open();
  EXPECT_FALSE(open_after.get_future().get());
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, a_server_that_is_destroyed_waits_for_offloaded_work) {
  gate closed;
  std::atomic<bool> ended = false;
  std::thread opener;
  {
    running_server it{{}, [&](connection& peer) -> task<> {
                        co_await peer.read();
                        std::string local = "still here";
                        auto work = [&] {
                          closed.pass();
                          std::this_thread::sleep_for(50ms);
                          EXPECT_EQ(local, "still here");
                          ended = true;
                        };
                        co_await offload(work);
                      }};
    raw_client peer = it.connect();
    peer.send("?");
    ASSERT_TRUE(eventually([&] { return closed.waiting() == 1; }));
    it->stop();
    it->wait();
    opener = std::thread{[&] { closed.open(); }};
  }
  EXPECT_TRUE(ended);
  opener.join();
}

// ── other ways in ──

TEST(coroutine, others_may_post_to_it_while_it_waits) {
  std::promise<connection_id> opened;
  running_server it{{}, [&](connection& peer) -> task<> {
                      opened.set_value(peer.id());
                      while (auto data = co_await peer.read()) co_await peer.write(data);
                    }};
  raw_client peer = it.connect();
  const connection_id id = opened.get_future().get();
  EXPECT_TRUE(it->post(id, [](connection& same) { same.send("posted"); }));
  EXPECT_EQ(peer.receive(6), "posted");
  EXPECT_EQ(ask(peer, "mine"), "mine");
  EXPECT_TRUE(it->post(id, [](connection& same) { same.close(); }));
  EXPECT_EQ(peer.receive_to_end().data, "");
  EXPECT_TRUE(forgets_everything(it));
}

TEST(coroutine, a_drain_lets_it_finish_its_exchange) {
  running_server it{{},
                    [](connection& peer) -> task<> {
                      while (auto data = co_await peer.read()) {
                        co_await sleep_for(100ms);
                        co_await peer.write(data);
                      }
                    },
                    {.drain = {.first_request = 0s}}};
  raw_client busy = it.connect();
  raw_client idle = it.connect();
  busy.send("under way");
  ASSERT_TRUE(eventually([&] { return it->counts().received == 9; }));
  it->drain();
  EXPECT_EQ(idle.receive_to_end().data, "");
  EXPECT_EQ(busy.receive_to_end().data, "under way");
  idle.close();
  busy.close();
  it->wait();
}

TEST(coroutine, every_suspended_handler_is_destroyed_with_its_server) {
  static std::atomic<int> live = 0;
  struct counted {
    counted() { ++live; }
    ~counted() { --live; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
  };
  {
    running_server it{{}, [](connection& peer) -> task<> {
                        const counted here;
                        const auto below = [](connection& same) -> task<> {
                          const counted there;
                          auto data = co_await same.read();
                          if (data.text() == "read") co_await same.read();
                          if (data.text() == "sleep") co_await sleep_for(10min);
                          if (data.text() == "write") {
                            while (co_await same.write(text_of(50'000, 'x'))) {
                            }
                          }
                          // Nothing of Dwell may keep it from being destroyed, not even an end that
                          // does not end it.
                          while (data) co_await sleep_for(10min);
                        };
                        co_await below(peer);
                      }};
    std::vector<raw_client> clients;
    for (const char* order : {"read", "sleep", "write"}) {
      clients.push_back(it.connect());
      clients.back().send(order);
    }
    EXPECT_TRUE(eventually([&] { return live == 6; }));
  }
  EXPECT_EQ(live, 0);
}

// ── forms that GCC 12 must get right ──

task<std::size_t> size_of(connection& peer, const std::string& text) {
  co_await peer.write(text);
  co_return text.size();
}
task<bool> yes() { co_return co_await sleep_for(0ms); }
task<std::string> joined(std::string left, std::string right) {
  co_await sleep_for(0ms);
  co_return left + right;
}

TEST(coroutine, may_await_in_every_form_that_is_documented) {
  const std::string long_text = "a text that is too long for the small string optimisation";
  running_server it{
      {}, [&](connection& peer) -> task<> {
        while (auto data = co_await peer.read()) {
          const std::string text{data.text()};
          if (!co_await peer.write(text)) co_return;
          std::size_t total = co_await size_of(peer, text);
          total += co_await size_of(peer, std::string{text});
          const bool both = total > 0 && co_await yes();
          const bool either = total == 0 || co_await yes();
          EXPECT_TRUE(both && either);
          if (auto [left, right] = std::pair{long_text, co_await joined(text, long_text)}; both) {
            EXPECT_EQ(right, text + left);
          }
          for (int i = 0; i < 3 && co_await sleep_for(0ms); ++i) {
          }
          auto closure = [long_text] { return long_text; };
          peer.send(co_await offload(closure));
          auto waiting = joined(text, long_text);
          peer.send(co_await std::move(waiting));
          co_await peer.flush();
        }
      }};
  raw_client peer = it.connect();
  for (int i = 0; i < 20; ++i) {
    const std::string text = "message " + std::to_string(i);
    peer.send(text);
    const std::string expected = text + text + text + long_text + text + long_text;
    ASSERT_EQ(peer.receive(expected.size()), expected);
  }
}

TEST(coroutine, a_million_awaits_of_writes_take_no_stack) {
  running_server it{{}, [](connection& peer) -> task<> {
                      co_await peer.read();
                      for (int i = 0; i < 1'000'000; ++i) co_await peer.write("");
                      for (int i = 0; i < 1'000'000; ++i) co_await peer.flush();
                      co_await peer.write("done");
                    }};
  raw_client peer = it.connect();
  peer.send("?");
  EXPECT_EQ(peer.receive_to_end().data, "done");
}

}  // namespace
}  // namespace dwell
