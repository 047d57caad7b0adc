// Outbound connections in virtual time: made, refused, late, lost, and gone with whoever wanted
// them.
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using dwell::connect_error;
using dwell::connect_failure;
using dwell::connection;
using dwell::no_session;

/// Connects once for each connection, and says what came of it.
dwell::handler telling(dwell::connect_options to) {
  return [to](connection& peer) -> dwell::task<> {
    if (!co_await peer.read()) co_return;
    auto there = co_await dwell::connect(to);
    peer.send(there ? "connected" : to_string(there.error().what));
  };
}

std::string ask(simulation& sim, dwell::server& of, dwell::duration within) {
  auto peer = sim.connect(of);
  peer.send("?");
  sim.advance(within);
  return std::string{peer.received()};
}

dwell::task<> pump(connection& from, connection& to) {
  while (auto data = co_await from.read()) {
    if (!co_await to.write(data)) co_return;
  }
  to.shutdown_send();
}

/// Everything that comes goes to `port`, and back.
dwell::handler proxying(std::uint16_t port) {
  return [port](connection& client) -> dwell::task<> {
    auto upstream = co_await dwell::connect({.host = "10.0.0.2", .port = port, .connect = 2s});
    if (!upstream) co_return client.close(close_reason::overload);
    co_await dwell::when_all(pump(client, *upstream), pump(*upstream, client));
  };
}

TEST(connect, reaches_a_server_and_speaks_with_it) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 5ms}}};
    auto& behind = sim.serve({}, echo);
    auto& front = sim.serve({}, proxying(sim.where(behind).port));
    auto peer = sim.connect(front);
    peer.send("ping");
    sim.advance(1s);
    EXPECT_EQ(peer.received(), "ping");
    peer.send("pong");
    sim.advance(1s);
    EXPECT_EQ(peer.received(), "pingpong");
    EXPECT_EQ(front.counts().connected, 1U);
    EXPECT_EQ(front.counts().live, 2U);
    EXPECT_EQ(behind.counts().live, 1U);
    peer.close();
    sim.advance(10s);
    EXPECT_EQ(front.counts().live, 0U);
    EXPECT_EQ(front.counts().waiting_for_frames, 0U);
    EXPECT_EQ(behind.counts().live, 0U);
  });
}

TEST(connect, says_why_not) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 5ms}}};
    auto& nobody = sim.serve({}, telling({.host = "10.0.0.2", .port = 9}));
    EXPECT_EQ(ask(sim, nobody, 1s), "refused");
    auto& unknown = sim.serve({}, telling({.host = "none.invalid", .port = 9}));
    EXPECT_EQ(ask(sim, unknown, 1s), "name_not_found");
    auto& full = sim.serve({}, telling({.host = "10.0.0.2", .port = 9}), {.connections = 1});
    EXPECT_EQ(ask(sim, full, 1s), "over_limit");
    sim.set_faults({.connect_failures = 1});
    EXPECT_EQ(ask(sim, nobody, 1s), "out_of_ports");
    EXPECT_EQ(nobody.counts().connect_failed, 2U);
    EXPECT_EQ(nobody.counts().live, 0U);
  });
}

TEST(connect, is_bounded_by_its_deadline_and_by_the_kernels_patience) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& behind = sim.serve({}, echo);
    const std::uint16_t port = sim.where(behind).port;
    auto& server = sim.serve({}, telling({.host = "10.0.0.2", .port = port, .connect = 2500ms}));
    auto& patient = sim.serve(
        {.deadlines = {.handle = dwell::off}},
        telling({.host = "10.0.0.2", .port = port, .connect = dwell::off, .syn_retries = 2}));
    sim.set_faults({.syn_loss = 1});
    auto peer = sim.connect(server), other = sim.connect(patient);
    peer.send("?");
    other.send("?");
    sim.advance(2499ms);
    EXPECT_EQ(peer.received(), "");
    sim.advance(1ms);
    EXPECT_EQ(peer.received(), "timed_out");
    sim.advance(4499ms);
    EXPECT_EQ(other.received(), "");
    sim.advance(1ms);  // 1 + 2 + 4 s
    EXPECT_EQ(other.received(), "timed_out");
    EXPECT_EQ(behind.counts().opened, 0U);
  });
}

TEST(connect, waits_for_a_syn_that_is_sent_again) {
  int late = 0;
  with_seeds(
      [&late](std::uint64_t seed) {
        simulation sim{{.seed = seed, .faults = {.delay = 3ms, .syn_loss = 0.5}}};
        auto& behind = sim.serve({}, echo);
        auto& server =
            sim.serve({.deadlines = {.handle = 5min}}, telling({.host = "10.0.0.2",
                                                                .port = sim.where(behind).port,
                                                                .connect = dwell::off,
                                                                .syn_retries = 127}));
        auto peer = sim.connect(server);
        peer.send("?");
        sim.advance(100ms);
        if (peer.received().empty()) ++late;
        EXPECT_TRUE(sim.run_until([&] { return peer.received() == "connected"; }, 4min));
      },
      32);
  EXPECT_GT(late, 4);
  EXPECT_LT(late, 28);
}

TEST(connect, ends_with_the_connection_that_waits_for_it) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 1ms}}};
    auto& behind = sim.serve({}, echo);
    auto seen = std::make_shared<std::string>();
    auto& server =
        sim.serve({}, [seen, port = sim.where(behind).port](connection& peer) -> dwell::task<> {
          peer.after(100ms, [](connection& self) {
            self.close(close_reason::finished, close_method::abort);
          });
          auto there = co_await dwell::connect({.host = "10.0.0.2", .port = port, .connect = 30s});
          *seen = to_string(there.error().what);
        });
    sim.set_faults({.delay = 1ms, .syn_loss = 1});
    auto peer = sim.connect(server);
    sim.advance(200ms);
    EXPECT_EQ(*seen, "ended");
    EXPECT_EQ(peer.record().reason, close_reason::finished);
    EXPECT_EQ(server.counts().live, 0U);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(connect, a_read_of_it_ends_with_the_connection_that_waits) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& behind = sim.serve({}, echo);
    auto reads = std::make_shared<int>(0);
    auto& server =
        sim.serve({}, [reads, port = sim.where(behind).port](connection& peer) -> dwell::task<> {
          auto there = co_await dwell::connect({.host = "10.0.0.2", .port = port});
          if (!there) co_return;
          peer.after(1s, [](connection& self) { self.close(close_reason::finished); });
          while (co_await there->read()) ++*reads;
          ++*reads;
        });
    static_cast<void>(sim.connect(server));
    sim.advance(999ms);
    EXPECT_EQ(*reads, 0);
    EXPECT_EQ(behind.counts().live, 1U);
    sim.advance(10s);
    EXPECT_EQ(*reads, 1);
    EXPECT_EQ(behind.counts().live, 0U);
    EXPECT_EQ(server.counts().live, 0U);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

TEST(connect, keeps_what_came_for_the_next_read) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 2ms, .short_reads = 0.3}}};
    auto& behind = sim.serve({}, [](connection& peer) -> dwell::task<> {
      const std::string all = pattern(50'000);
      co_await peer.write(all);
    });
    auto got = std::make_shared<std::string>();
    auto end = std::make_shared<std::optional<close_reason>>();
    auto& server = sim.serve({}, [=, port = sim.where(behind).port](connection&) -> dwell::task<> {
      auto there = co_await dwell::connect({.host = "10.0.0.2", .port = port});
      if (!there) co_return;
      co_await dwell::sleep_for(1s);  // all of it comes meanwhile
      while (auto data = co_await there->read()) {
        *got += data.text();
        co_await dwell::sleep_for(1ms);
      }
      *end = there->reason();
    });
    static_cast<void>(sim.connect(server));
    EXPECT_TRUE(sim.run_until([&] { return end->has_value(); }, 25s));
    EXPECT_TRUE(*got == pattern(50'000));
    EXPECT_EQ(*end, close_reason::peer_closed);
  });
}

TEST(connect, closes_by_plan_when_its_owner_goes) {
  for (const close_method method :
       {close_method::graceful, close_method::abort_after_fin, close_method::abort}) {
    SCOPED_TRACE(to_string(method));
    with_seeds([method](std::uint64_t seed) {
      simulation sim{{.seed = seed, .faults = {.delay = 2ms}}};
      auto& behind = sim.serve({}, echo);
      auto records = std::make_shared<std::vector<dwell::close_record>>();
      const std::function<void(const connection&, const dwell::close_record&)> keep =
          [records](const connection&, const dwell::close_record& record) {
            records->push_back(record);
          };
      auto& server = sim.serve(
          {}, [&keep, method, port = sim.where(behind).port](connection& peer) -> dwell::task<> {
            {
              auto there = co_await dwell::connect({.host = "10.0.0.2",
                                                    .port = port,
                                                    .close = {.finished = method},
                                                    .on_close = &keep});
              if (!there) co_return;
              co_await there->write("ping");
              const auto answer = co_await there->read();
              peer.send(answer);
            }
            co_await dwell::sleep_for(1s);
          });
      auto peer = sim.connect(server);
      sim.advance(500ms);
      EXPECT_EQ(peer.received(), "ping");
      EXPECT_EQ(behind.counts().live, 0U);
      ASSERT_EQ(records->size(), 1U);
      const dwell::close_record& record = records->front();
      EXPECT_EQ(record.reason, close_reason::finished);
      EXPECT_EQ(record.planned, method);
      EXPECT_EQ(record.done, method);
      EXPECT_EQ(record.first, dwell::first_closer::here);
      EXPECT_EQ(record.exchanges, 1U);
      EXPECT_EQ(to_string(record.time_wait), method == close_method::graceful ? "here" : "nowhere");
      EXPECT_TRUE(peer.is_open());
    });
  }
}

TEST(connect, an_answer_that_does_not_come_is_an_idle_timeout) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& behind = sim.serve({}, echo);
    auto& server = sim.serve(
        {.deadlines = {.handle = dwell::off}},
        [port = sim.where(behind).port](connection& peer) -> dwell::task<> {
          auto there = co_await dwell::connect(
              {.host = "10.0.0.2", .port = port, .deadlines = {.idle = 3s, .close = 100ms}});
          if (!there) co_return;
          co_await there->write("?");
          const auto answer = co_await there->read();
          peer.send(answer ? "answer" : to_string(*there->reason()));
        });
    sim.freeze(behind, 1min);
    auto peer = sim.connect(server);
    sim.advance(2900ms);
    EXPECT_EQ(peer.received(), "");
    sim.advance(200ms);
    EXPECT_EQ(peer.received(), "idle_timeout");
  });
}

TEST(connect, a_drain_leaves_it_to_its_handler) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 1ms}}};
    auto& behind = sim.serve({}, [](connection& peer) -> dwell::task<> {
      while (auto data = co_await peer.read()) {
        co_await dwell::sleep_for(3s);
        co_await peer.write(data);
      }
    });
    auto& server = sim.serve({}, proxying(sim.where(behind).port));
    auto& asking =
        sim.serve({}, [port = sim.where(behind).port](connection& peer) -> dwell::task<> {
          auto there = co_await dwell::connect({.host = "10.0.0.2", .port = port});
          while (auto data = co_await peer.read()) {
            co_await there->write(data);
            const auto answer = co_await there->read();
            co_await peer.write(answer);
          }
        });
    auto through = sim.connect(server), peer = sim.connect(asking);
    through.send("1");
    peer.send("2");
    sim.advance(1s);
    server.drain();
    asking.drain();
    sim.advance(5s);
    EXPECT_EQ(peer.received(), "2");
    EXPECT_EQ(peer.record().reason, close_reason::drain);
    EXPECT_EQ(asking.stage(), dwell::server_stage::ended);
    sim.advance(20s);
    EXPECT_EQ(server.stage(), dwell::server_stage::ended);
    EXPECT_EQ(server.counts().live, 0U);
  });
}

TEST(connect, stop_ends_what_is_on_its_way) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(
        {}, telling({.host = "10.0.0.2", .port = 80, .connect = dwell::off, .syn_retries = 127}));
    sim.set_faults({.syn_loss = 1});
    auto peer = sim.connect(server);
    peer.send("?");
    sim.advance(1s);
    server.stop();
    sim.advance(2s);
    EXPECT_EQ(server.stage(), dwell::server_stage::ended);
    EXPECT_EQ(server.counts().live, 0U);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

// ── through a proxy, whatever the network does ──

TEST(connect, a_proxy_loses_nothing_and_holds_little) {
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{{.seed = seed,
                        .faults = {.delay = 2ms,
                                   .jitter = 3ms,
                                   .loss = 0.01,
                                   .short_reads = 0.02,
                                   .short_writes = 0.02}}};
        auto& behind = sim.serve({}, echo);
        std::size_t most = 0;
        auto& front = sim.serve({}, proxying(sim.where(behind).port));
        auto peer = sim.connect(front);
        const std::string all = pattern(600'000);
        peer.send(all);
        peer.shutdown_send();
        peer.stop_reading();
        for (int i = 0; i < 20; ++i) {
          sim.advance(500ms);
          front.each([&most](connection& each) { most = std::max(most, each.queued()); });
        }
        peer.start_reading();
        sim.run_until([&] { return peer.got_end(); }, 5min);
        EXPECT_TRUE(peer.received() == all);
        EXPECT_TRUE(peer.got_end());
        EXPECT_FALSE(peer.got_reset());
        EXPECT_LE(most, 2U * 64 * 1024);
        sim.advance(2min);
        EXPECT_EQ(front.counts().live, 0U);
        EXPECT_EQ(front.counts().waiting_for_frames, 0U);
        EXPECT_EQ(behind.counts().live, 0U);
      },
      24);
}

// ── callbacks ──

struct asker {
  int number = 0;
  int* opened = nullptr;
};

TEST(upstream, serves_with_callbacks_from_a_client) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 1ms}}};
    auto& server = sim.serve({}, echo);
    std::vector<int> answered;
    std::vector<std::string> failed;
    std::vector<dwell::close_record> records;
    const dwell::callbacks<asker> calls{
        .on_open =
            [](connection& peer, asker& self) {
              peer.send(std::to_string(self.number));
              return true;
            },
        .on_data =
            [&answered](connection& peer, asker& self, dwell::bytes data) {
              if (data.size() < std::to_string(self.number).size()) return std::size_t{0};
              EXPECT_EQ(data.text(), std::to_string(self.number));
              answered.push_back(self.number);
              peer.close();
              return data.size();
            },
        .on_close = [&records](connection&, asker&,
                               const dwell::close_record& record) { records.push_back(record); }};
    const dwell::callback<void(asker&, const connect_error&)> count_failure{
        [&failed](asker& self, const connect_error& why) {
          failed.push_back(std::to_string(self.number) + to_string(why.what).data());
        }};
    const dwell::upstream there{
        {.host = "10.0.0.2", .port = sim.where(server).port}, calls, count_failure};
    const dwell::upstream nowhere{{.host = "10.0.0.2", .port = 9}, calls, count_failure};
    auto& client = sim.start_client();
    client.spawn([&there, &nowhere]() -> dwell::task<> {
      for (int i = 0; i < 10; ++i) {
        there.connect({.number = i});
        co_await dwell::sleep_for(1ms);
      }
      nowhere.connect({.number = 10});
    });
    sim.advance(1s);
    EXPECT_THAT(answered, ::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    EXPECT_THAT(failed, ::testing::ElementsAre("10refused"));
    ASSERT_EQ(records.size(), 10U);
    for (const dwell::close_record& each : records) {
      EXPECT_EQ(each.time_wait, dwell::time_wait::here);
      EXPECT_EQ(each.exchanges, 1U);
    }
    EXPECT_EQ(client.counts().connected, 10U);
    EXPECT_EQ(client.counts().connect_failed, 1U);
    EXPECT_EQ(client.counts().live, 0U);
    EXPECT_EQ(server.counts().live, 0U);
  });
}

TEST(upstream, stop_tells_who_still_waits) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::vector<std::string> failed;
    const dwell::callback<void(no_session&, const connect_error&)> count_failure{
        [&failed](no_session&, const connect_error& why) {
          failed.emplace_back(to_string(why.what));
        }};
    const dwell::upstream there{
        {.host = "10.0.0.2", .port = 80}, dwell::callbacks<>{}, count_failure};
    auto& client = sim.start_client();
    bool slept = true;
    client.spawn([&]() -> dwell::task<> {
      there.connect();
      slept = co_await dwell::sleep_for(1h);
    });
    sim.set_faults({.syn_loss = 1});
    sim.advance(1s);
    client.stop();
    sim.advance(2s);
    EXPECT_THAT(failed, ::testing::ElementsAre("ended"));
    EXPECT_FALSE(slept);
  });
}

TEST(upstream, refuses_options_that_cannot_be) {
  const dwell::callbacks<> none;
  const auto wrong = [&none](const dwell::connect_options& to) {
    EXPECT_THROW((dwell::upstream{to, none}), std::invalid_argument);
  };
  wrong({.host = "", .port = 80});
  wrong({.host = "10.0.0.1"});
  wrong({.host = "10.0.0.256", .port = 80});
  wrong({.host = "10.0.0.1", .port = 80, .connect = 0ms});
  wrong({.host = "10.0.0.1", .port = 80, .source = "10.0.0.0/33"});
  wrong({.host = "10.0.0.1", .port = 80, .source = "eth0"});
  wrong({.host = "10.0.0.1", .port = 80, .syn_retries = 128});
  wrong({.host = "10.0.0.1", .port = 80, .deadlines = {.lifetime = 1h}});
  wrong({.host = "10.0.0.1", .port = 80, .deadlines = {.idle = 0ms}});
  wrong({.host = "10.0.0.1", .port = 80, .close = {.idle = close_method::peer_first}});
}

}  // namespace
