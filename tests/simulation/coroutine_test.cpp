// A coroutine handler in virtual time: what it waits for ends in its exact tick.
#include <dwell/asio.hpp>

#include "scenario.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using dwell::connection;
using dwell::duration;
using dwell::phase;
using dwell::task;

// Lengths that end on each level of the wheel.
const std::vector<duration> lengths{0ms, 1ms, 255ms, 256ms, 70'000ms, 20h};

TEST(coroutine, sleeps_until_the_exact_tick) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<duration> woken;
    auto& server = sim.serve({.deadlines = {.handle = dwell::off}}, [&](connection&) -> task<> {
      for (const duration length : lengths) {
        EXPECT_TRUE(co_await dwell::sleep_for(length));
        woken.push_back(sim.now());
      }
    });
    sim.connect(server);
    sim.advance(0ms);
    ASSERT_FALSE(woken.empty());
    const duration from = woken.front();
    sim.advance(21h);
    ASSERT_EQ(woken.size(), lengths.size());
    duration due = from;
    for (std::size_t i = 1; i < woken.size(); ++i) {
      due += lengths[i];
      EXPECT_EQ(woken[i], due) << i;
    }
  });
}

TEST(coroutine, is_cut_short_at_each_deadline_that_ends_its_connection) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::optional<bool> slept;
    duration ended{};
    auto& server =
        sim.serve({.deadlines = {.idle = 60s, .handle = 7'001ms}}, [&](connection& peer) -> task<> {
          co_await peer.read();
          slept = co_await dwell::sleep_for(1h);
          ended = sim.now();
          EXPECT_EQ(peer.reason(), close_reason::handle_timeout);
        });
    auto peer = sim.connect(server);
    sim.advance(10s);
    peer.send("x");
    sim.advance(1min);
    EXPECT_EQ(slept, false);
    EXPECT_EQ(ended, 10s + 7'001ms);
    EXPECT_EQ(peer.record().phase, phase::handle);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(coroutine, is_idle_in_read_and_in_handle_anywhere_else) {
  simulation sim{{.seed = 3}};
  auto& server =
      sim.serve({.deadlines = {.idle = 30s, .handle = 40s}}, [&](connection& peer) -> task<> {
        while (auto data = co_await peer.read()) {
          co_await dwell::sleep_for(35s);
          co_await peer.write(data);
        }
        EXPECT_EQ(peer.reason(), close_reason::idle_timeout);
      });
  auto peer = sim.connect(server);
  sim.advance(20s);
  for (int i = 0; i < 5; ++i) {
    peer.send("x");
    sim.advance(20s + 35s);
  }
  EXPECT_TRUE(peer.is_open());
  EXPECT_EQ(peer.received(), "xxxxx");
  sim.advance(1min);
  EXPECT_EQ(peer.record().reason, close_reason::idle_timeout);
  EXPECT_EQ(peer.closed_after(), 20s + 4 * 55s + 35s + 30s);
}

TEST(coroutine, is_in_handle_after_the_peers_end_too) {
  simulation sim{{.seed = 4}};
  auto& server =
      sim.serve({.deadlines = {.idle = 30s, .handle = 40s}}, [](connection& peer) -> task<> {
        while (co_await peer.read()) {
        }
        EXPECT_EQ(peer.reason(), close_reason::peer_closed);
        EXPECT_TRUE(co_await dwell::sleep_for(35s));
        co_await peer.write("late, and in time");
      });
  auto peer = sim.connect(server);
  peer.shutdown_send();
  sim.advance(1min);
  EXPECT_EQ(peer.received(), "late, and in time");
  EXPECT_EQ(peer.record().reason, close_reason::peer_closed);
}

// Until the peer's FIN has come, or deadlines.close has passed, nothing happens that it could wait
// for.
TEST(coroutine, hears_of_its_end_when_that_is_decided) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::optional<duration> heard;
    auto& server =
        sim.serve({.deadlines = {.idle = 60s, .close = 20s}}, [&](connection& peer) -> task<> {
          EXPECT_FALSE(co_await peer.read());
          EXPECT_EQ(peer.reason(), close_reason::idle_timeout);
          heard = sim.now();
        });
    auto peer = sim.connect(server);
    peer.stay_at_end();
    sim.advance(61s);
    EXPECT_EQ(heard, 60s);
    EXPECT_TRUE(peer.is_open());
    sim.advance(30s);
    EXPECT_EQ(peer.record().reason, close_reason::idle_timeout);
  });
}

// What it waits for is cut short once, by the end; what it waits for after that is not.
TEST(coroutine, sleeps_in_full_once_its_connection_has_ended) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::optional<duration> ended, slept;
    auto& server = sim.serve({.deadlines = {.idle = 60s}}, [&](connection& peer) -> task<> {
      co_await peer.read();
      EXPECT_FALSE(co_await dwell::sleep_for(1h));
      ended = sim.now();
      EXPECT_FALSE(co_await dwell::sleep_for(5s));
      slept = sim.now();
    });
    sim.connect(server);
    sim.advance(61s);
    ASSERT_TRUE(ended);
    EXPECT_FALSE(slept);
    EXPECT_EQ(server.counts().waiting_for_frames, 1U);
    sim.advance(10s);
    EXPECT_EQ(slept, *ended + 5s);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(coroutine, after_fires_in_its_exact_tick) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<duration> fired;
    auto& server = sim.serve({.deadlines = {.idle = dwell::off}}, [&](connection& peer) -> task<> {
      const duration now = sim.now();
      for (const duration delay : std::vector<duration>{5s, 300ms, 1h}) {
        peer.after(delay, [&, now, delay](connection&) {
          EXPECT_EQ(sim.now(), now + delay);
          fired.push_back(delay);
        });
      }
      co_await peer.read();
    });
    auto peer = sim.connect(server);
    sim.advance(30min);
    peer.close();
    sim.advance(1h);
    EXPECT_EQ(fired, (std::vector<duration>{300ms, 5s}));
  });
}

TEST(coroutine, offloads_in_no_time_and_on_the_same_thread) {
  simulation sim{{.seed = 1}};
  const auto here = std::this_thread::get_id();
  std::optional<duration> took;
  auto& server = sim.serve({}, [&](connection& peer) -> task<> {
    while (auto data = co_await peer.read()) {
      const duration before = sim.now();
      auto work = [&] { return std::this_thread::get_id(); };
      EXPECT_EQ(co_await dwell::offload(work), here);
      took = sim.now() - before;
      co_await peer.write(data);
    }
  });
  auto peer = sim.connect(server);
  peer.send("x");
  sim.advance(1s);
  EXPECT_EQ(peer.received(), "x");
  EXPECT_EQ(took, 0ms);
}

TEST(coroutine, an_asio_operation_is_not_supported) {
  simulation sim{{.seed = 1}};
  std::vector<std::error_code> errors;
  auto& server = sim.serve({}, [&](connection& peer) -> task<> {
    asio::steady_timer timer{dwell::executor(peer), 1s};
    auto [waited] = co_await timer.async_wait(dwell::use_task);
    errors.push_back(waited);
    asio::ip::tcp::acceptor acceptor{dwell::executor(peer)};
    auto [accepted, socket] = co_await acceptor.async_accept(dwell::use_task);
    errors.push_back(accepted);
    EXPECT_FALSE(socket.is_open());
  });
  auto peer = sim.connect(server);
  sim.advance(0ms);
  const std::error_code expected = asio::error::operation_not_supported;
  EXPECT_EQ(errors, (std::vector{expected, expected}));
  EXPECT_EQ(peer.record().reason, close_reason::finished);
}

// Whoever owns a task may destroy it; then nothing of it may be left in the loop.
TEST(coroutine, a_task_that_is_destroyed_while_it_sleeps_leaves_no_timer) {
  simulation sim{{.seed = 1}};
  std::optional<task<>> sleeping;
  dwell::connection_id id;
  auto& server = sim.serve({}, [&](connection& peer) -> task<> {
    id = peer.id();
    const auto slumber = []() -> task<> {
      co_await dwell::sleep_for(1s);
      ADD_FAILURE() << "destroyed before";
    };
    sleeping = slumber();
    co_await std::move(*sleeping);
  });
  auto peer = sim.connect(server);
  sim.advance(500ms);
  server.post(id, [&](connection&) { sleeping.reset(); });
  sim.advance(10s);
  EXPECT_TRUE(peer.is_open());
}

TEST(coroutine, suspended_anywhere_is_destroyed_with_the_simulation) {
  int live = 0;
  struct counted {
    explicit counted(int& of) : live{&of} { ++*live; }
    ~counted() { --*live; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    int* live;
  };
  {
    simulation sim{{.seed = 5}};
    auto& server = sim.serve({}, [&](connection& peer) -> task<> {
      const counted here{live};
      co_await peer.read();
      while (true) co_await dwell::sleep_for(1h);
    });
    auto reading = sim.connect(server);
    auto sleeping = sim.connect(server);
    auto gone = sim.connect(server);
    sleeping.send("x");
    gone.send("x");
    sim.advance(1s);
    gone.reset();
    sim.advance(1s);
    EXPECT_EQ(live, 3);
    EXPECT_TRUE(reading.is_open());
  }
  EXPECT_EQ(live, 0);
}

}  // namespace
