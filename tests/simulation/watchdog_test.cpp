// What a handler holds although its peer has closed, or its connection has ended: named once,
// deadlines.close later, and never ended by that.
#include "scenario.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>

namespace {

using dwell::callbacks;
using dwell::connection;
using dwell::no_session;
using dwell::off;
using dwell::owed;
using dwell::task;

/// A service of the test's on a network of its own, and what the server logs.
struct watched {
  watched(std::uint64_t seed, dwell::deadlines deadlines, dwell::handler what)
      : sim{{.seed = seed}},
        server{sim.serve({.name = "api", .deadlines = deadlines}, std::move(what),
                         {.logger = logger})} {}

  std::string text() const { return log.str(); }
  std::size_t lines() const {
    const std::string all = text();
    return static_cast<std::size_t>(std::ranges::count(all, '\n'));
  }
  std::uint64_t held() const { return server.counts().held; }

  std::ostringstream log;
  std::shared_ptr<spdlog::logger> logger = [this] {
    auto made = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
    made->set_level(spdlog::level::warn);
    made->set_pattern("%v");
    return made;
  }();
  simulation sim;
  dwell::server& server;
};

callbacks<owed> stays(std::function<void(connection&, owed&)> at_end) {
  return {.on_data = [](connection&, owed&, dwell::bytes data) { return data.size(); },
          .on_peer_closed = std::move(at_end)};
}

/// Nothing is said until `when` after now; from then on there is one line, and the connection
/// stays.
void expect_named_after(watched& it, const peer& client, dwell::duration when) {
  it.sim.advance(when - 1ms);
  EXPECT_EQ(it.held(), 0U);
  EXPECT_EQ(it.text(), "");
  it.sim.advance(1ms);
  EXPECT_EQ(it.held(), 1U);
  it.sim.advance(1min);
  EXPECT_EQ(it.held(), 1U);
  EXPECT_EQ(it.lines(), 1U) << it.text();
  EXPECT_TRUE(client.is_open());
}

void expect_not_named(watched& it, dwell::duration within) {
  it.sim.advance(within);
  EXPECT_EQ(it.held(), 0U);
  EXPECT_EQ(it.text(), "");
}

TEST(watchdog, names_a_connection_that_callbacks_keep_open) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.idle = 1h, .close = 5s}, stays([](connection&, owed&) {})};
    auto client = it.sim.connect(it.server);
    it.sim.advance(3s);
    client.shutdown_send();
    it.sim.advance(0ms);
    expect_named_after(it, client, 5s);
    EXPECT_NE(it.text().find("api 0.0.1 "), std::string::npos) << it.text();
    EXPECT_NE(it.text().find("for 5000 ms, in idle"), std::string::npos) << it.text();
  });
}

TEST(watchdog, names_a_coroutine_that_goes_on_after_the_end_of_its_input) {
  with_seeds([](std::uint64_t seed) {
    for (const auto handle : {dwell::duration{1h}, off}) {
      watched it{seed, {.handle = handle, .close = 5s}, [](connection& peer) -> task<> {
                   co_await peer.read();
                   co_await dwell::sleep_for(2h);
                 }};
      auto client = it.sim.connect(it.server);
      client.shutdown_send();
      it.sim.advance(0ms);
      expect_named_after(it, client, 5s);
      EXPECT_NE(it.text().find("in handle"), std::string::npos) << it.text();
    }
  });
}

TEST(watchdog, sees_a_fin_that_nobody_has_read) {
  with_seeds([](std::uint64_t seed) {
    for (const bool sends : {true, false}) {  // the FIN alone, or behind bytes
      watched it{seed, {.handle = off, .close = 5s}, [](connection& peer) -> task<> {
                   co_await peer.read();
                   co_await dwell::sleep_for(2h);
                 }};
      auto client = it.sim.connect(it.server);
      client.send("work");
      it.sim.advance(1s);
      if (sends) client.send("more");
      it.sim.advance(1s);
      client.shutdown_send();
      it.sim.advance(0ms);
      expect_named_after(it, client, 5s);
    }
  });
}

TEST(watchdog, leaves_work_that_has_a_handle_deadline_to_that) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.handle = 30s, .close = 5s}, [](connection& peer) -> task<> {
                 co_await peer.read();
                 co_await dwell::sleep_for(2h);
               }};
    auto client = it.sim.connect(it.server);
    client.send("work");
    client.shutdown_send();
    expect_not_named(it, 1min);
    EXPECT_EQ(client.record().reason, close_reason::handle_timeout);
  });
}

TEST(watchdog, sees_a_fin_behind_a_pause) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed,
               {.handle = off, .close = 5s},
               callbacks<>{.on_data = [](connection& peer, no_session&, dwell::bytes data) {
                 peer.pause();
                 return data.size();
               }}};
    auto client = it.sim.connect(it.server);
    client.send("work");
    it.sim.advance(1s);
    client.shutdown_send();
    it.sim.advance(0ms);
    expect_named_after(it, client, 5s);
  });
}

TEST(watchdog, does_not_name_who_owes_an_answer) {
  with_seeds([](std::uint64_t seed) {
    owed* debt = nullptr;
    watched it{seed,
               {.idle = 1h, .handle = off, .close = 5s},
               stays([&debt](connection& peer, owed& self) {
                 self = peer.owe();
                 debt = &self;
               })};
    auto client = it.sim.connect(it.server);
    client.shutdown_send();
    expect_not_named(it, 63s);
    ASSERT_NE(debt, nullptr);
    *debt = owed{};
    it.sim.advance(0ms);
    expect_named_after(it, client, 5s);  // from when nothing is owed any more
  });
}

TEST(watchdog, does_not_name_who_still_sends) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.handle = 1h, .close = 5s}, [](connection& peer) -> task<> {
                 while (co_await peer.read()) {
                 }
                 for (int i = 0; i < 10; ++i) {
                   co_await dwell::sleep_for(4s);
                   co_await peer.write("tick");
                 }
                 co_await dwell::sleep_for(2h);
               }};
    auto client = it.sim.connect(it.server);
    client.shutdown_send();
    it.sim.advance(0ms);
    it.sim.advance(40s);
    EXPECT_EQ(client.received().size(), 40U);
    expect_named_after(it, client, 5s);  // from its last byte
  });
}

TEST(watchdog, does_not_name_who_waits_for_the_peer_to_take_its_answer) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.idle = 1h, .write = off, .close = 5s}, stays([](connection& peer, owed&) {
                 peer.send(pattern(900'000));
               })};
    auto client = it.sim.connect(it.server);
    client.stop_reading();
    client.shutdown_send();
    expect_not_named(it, 1min);
    EXPECT_TRUE(client.is_open());
  });
}

TEST(watchdog, says_nothing_when_all_is_well) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.idle = 1h, .close = 5s}, echo};
    auto leaves = it.sim.connect(it.server), stays = it.sim.connect(it.server);
    leaves.send("hello");
    stays.send("hello");
    it.sim.advance(1s);
    leaves.shutdown_send();
    expect_not_named(it, 1min);
    EXPECT_FALSE(leaves.is_open());
    EXPECT_TRUE(stays.is_open());
    EXPECT_EQ(it.server.counts().frames_held, 0U);
  });
}

TEST(watchdog, is_switched_off_with_the_close_deadline) {
  watched it{0, {.idle = 1h, .close = off}, stays([](connection&, owed&) {})};
  auto client = it.sim.connect(it.server);
  client.shutdown_send();
  expect_not_named(it, 30min);
}

TEST(watchdog, does_not_blame_the_handler_for_a_process_that_was_stopped) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.idle = 1h, .close = 5s}, stays([](connection&, owed&) {})};
    auto client = it.sim.connect(it.server);
    client.shutdown_send();
    it.sim.advance(1s);
    it.sim.freeze(it.server, 10s);
    expect_not_named(it, 14s);
    it.sim.advance(5s);
    EXPECT_EQ(it.held(), 1U);
  });
}

TEST(watchdog, names_a_frame_that_outlives_its_connection) {
  with_seeds([](std::uint64_t seed) {
    watched it{seed, {.handle = 10s, .close = 5s}, [](connection& peer) -> task<> {
                 co_await peer.read();
                 co_await dwell::sleep_for(1h);  // ends with the connection
                 co_await dwell::sleep_for(1min);
               }};
    auto client = it.sim.connect(it.server);
    client.send("work");
    it.sim.advance(10s);
    ASSERT_FALSE(client.is_open());
    it.sim.advance(5s - 1ms);
    EXPECT_EQ(it.server.counts().frames_held, 0U);
    it.sim.advance(1ms);
    EXPECT_EQ(it.server.counts().frames_held, 1U);
    EXPECT_EQ(it.server.counts().waiting_for_frames, 1U);
    EXPECT_NE(it.text().find("closed (handle_timeout in handle), but its handler still runs"),
              std::string::npos)
        << it.text();
    it.sim.advance(1h);
    EXPECT_EQ(it.lines(), 1U) << it.text();
    EXPECT_EQ(it.server.counts().frames_held, 1U);
    EXPECT_EQ(it.server.counts().waiting_for_frames, 0U);
    EXPECT_EQ(it.held(), 0U);
  });
}

TEST(watchdog, counts_by_service) {
  watched it{0, {.idle = 1h, .close = 5s}, stays([](connection&, owed&) {})};
  const dwell::endpoint other = it.sim.serve(it.server, {.name = "other"}, echo);
  auto client = it.sim.connect(it.server), elsewhere = it.sim.connect(other);
  client.shutdown_send();
  elsewhere.send("hello");
  it.sim.advance(6s);
  const auto services = it.server.services();
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0].name, "api");
  EXPECT_EQ(services[0].counts.held, 1U);
  EXPECT_EQ(services[0].counts.received, 0U);
  EXPECT_EQ(services[1].name, "other");
  EXPECT_EQ(services[1].where, other);
  EXPECT_EQ(services[1].counts.held, 0U);
  EXPECT_EQ(services[1].counts.received, 5U);
  EXPECT_EQ(it.server.counts().received, 5U);
}

TEST(services, remember_what_went_into_time_wait_for_a_minute) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.idle = 30s}}, echo);
    auto leaves = sim.connect(server), stays = sim.connect(server);
    for (int i = 0; i < 3; ++i) sim.connect(server);
    const auto expect_after = [&](dwell::duration time, std::uint64_t count) {
      sim.advance(time);
      stays.send("tick");  // the loop's clock is read in a turn
      sim.advance(0ms);
      EXPECT_EQ(server.services()[0].time_wait_recently, count);
    };
    leaves.close();  // its TIME_WAIT is there
    expect_after(20s, 0);
    expect_after(11s, 3);
    sim.connect(server);
    expect_after(29s, 3);
    expect_after(29s, 4);  // the fourth since 61 s
    expect_after(2s, 1);   // the others at 30 s
    expect_after(29s, 1);
    expect_after(2s, 0);
  });
}

}  // namespace
