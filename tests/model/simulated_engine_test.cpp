// The simulated engine keeps the promises of the seam that the epoll engine keeps.
#include "engine/simulated/simulated_engine.hpp"

#include "engine/simulated/peer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace dwell {
namespace {

/// The least there can be above an engine: echoes, and closes at the end.
class echo_loop final : public engine_events {
 public:
  echo_loop(network& net, std::uint64_t epoch) : io{pool, net, epoch} {
    io.attach(*this);
    where = io.listen(0, {});
    io.set_accepting(true);
  }
  ~echo_loop() {
    for (auto& [slot, s] : streams) {
      if (s.what.descriptor >= 0) io.release(s.what, release::reset);
    }
  }

  struct echoing {
    stream what;
    std::string unsent;
    bool ended = false;
  };

  void for_each_stream(void (*)(engine&, stream&)) override {}
  stream* find(std::uint32_t slot, std::uint32_t generation) noexcept override {
    const auto found = streams.find(slot);
    if (found == streams.end() || found->second.what.generation != generation) return nullptr;
    return found->second.what.descriptor >= 0 ? &found->second.what : nullptr;
  }
  void on_turn_begin() override { ++turns; }
  dwell::admission reserve(bool) override { return dwell::admission::free_place; }
  void unreserve(dwell::admission) override { ++unreserved; }
  void on_accept(const accepted& fresh) override {
    const auto slot = static_cast<std::uint32_t>(streams.size());
    stream& s = streams[slot].what;
    s = {.descriptor = fresh.descriptor, .slot = slot, .generation = 1, .wants_input = wants_input};
    if (s.wants_input) on_received(s, io.receive(s));
    if (s.descriptor >= 0 && !io.enroll(s)) io.release(s, release::reset);
  }
  void on_accept_failed(int) override { ++accept_failed; }
  void on_connected(stream&, bool) override {}
  void on_received(stream& from, const received& input) override {
    echoing& e = streams[from.slot];
    switch (input.what) {
      case received::outcome::would_block: return;
      case received::outcome::failed: return io.release(from, release::reset);
      case received::outcome::end:
        e.ended = true;
        from.wants_input = false;
        break;
      case received::outcome::data:
        total += input.data.size();
        e.unsent.append(reinterpret_cast<const char*>(input.data.data()), input.data.size());
    }
    on_writable(from);
  }
  void on_writable(stream& to) override {
    echoing& e = streams[to.slot];
    if (!e.unsent.empty()) {
      const iovec rest{e.unsent.data(), e.unsent.size()};
      const sent done = io.send(to, {&rest, 1}, after_this::anything);
      if (done.error != 0) return io.release(to, release::reset);
      e.unsent.erase(0, done.count);
    }
    if (e.unsent.empty() && e.ended) return io.release(to, how);
    to.wants_output = !e.unsent.empty();
    io.watch(to);
  }
  void on_hangup(stream& from) override {
    ++hangups;
    EXPECT_EQ(from.registered, 0);
  }
  void on_time() override { times.push_back(io.now()); }
  void on_wake() override { ++wakes; }
  void on_turn_end() override {}

  block_pool pool;
  simulated_engine io;
  endpoint where;
  std::map<std::uint32_t, echoing> streams;
  std::vector<std::uint64_t> times;
  release how = release::fin;
  bool wants_input = true;
  std::size_t total = 0;
  int turns = 0;
  int wakes = 0;
  int hangups = 0;
  int unreserved = 0;
  int accept_failed = 0;
};

std::string pattern(std::size_t size) {
  std::string made(size, 0);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}

TEST(simulated_engine, echoes_every_byte_whatever_the_seed_and_the_faults) {
  const std::string sent = pattern(300'000);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    network net{seed};
    if (seed % 2 == 1) {
      net.faults = {.delay = 3, .jitter = 4, .loss = 0.05, .short_reads = 0.1, .short_writes = 0.2};
    }
    echo_loop server{net, 0};
    simulated_peer peer{net, net.connect(server.where.port)};
    peer.send(sent);
    peer.shutdown_send();
    net.run(10'000'000);
    EXPECT_TRUE(peer.received() == sent);
    EXPECT_TRUE(net[0].peer.got_end);
    EXPECT_TRUE(net[0][side::client].time_wait);
  }
}

TEST(simulated_engine, readiness_left_behind_comes_again) {
  network net{3};
  echo_loop server{net, 0};
  std::vector<simulated_peer> peers;
  for (int i = 0; i < 1'000; ++i) peers.emplace_back(net, net.connect(server.where.port));
  net.run(0);
  for (auto& peer : peers) peer.send("ping");  // more than one batch
  net.run(0);
  for (auto& peer : peers) EXPECT_EQ(peer.received(), "ping");
}

/// A stream nobody reads from, and what becomes of its events.
class unread_stream : public ::testing::Test {
 protected:
  unread_stream() {
    server.wants_input = true;
    net.run(0);
    stream& s = server.streams[0].what;
    EXPECT_GE(s.descriptor, 0);
    s.wants_input = false;
    before = server.io.wakeups();
  }
  std::uint64_t wakeups() const { return server.io.wakeups() - before; }

  network net{5};
  echo_loop server{net, 0};
  simulated_peer peer{net, net.connect(server.where.port)};
  std::uint64_t before = 0;
};

TEST_F(unread_stream, is_woken_for_bytes_once_and_for_a_fin_once) {
  peer.send("ping");
  net.run(1'000);
  EXPECT_EQ(wakeups(), 1);
  peer.shutdown_send();
  net.run(2'000);
  EXPECT_EQ(wakeups(), 2);
  peer.send("");
  net.run(3'000);
  EXPECT_EQ(wakeups(), 2);
  EXPECT_EQ(server.hangups, 0);
}

TEST_F(unread_stream, leaves_the_set_at_a_reset_and_reads_the_error_when_it_asks) {
  peer.reset();
  net.run(1'000);
  EXPECT_EQ(wakeups(), 1);
  EXPECT_EQ(server.hangups, 1);
  EXPECT_EQ(server.io.receive(server.streams[0].what).error, ECONNRESET);
}

TEST_F(unread_stream, leaves_the_set_when_both_sides_are_shut) {
  server.io.shutdown_send(server.streams[0].what);
  peer.shutdown_send();
  net.run(1'000);
  EXPECT_EQ(server.hangups, 1);
  EXPECT_LE(wakeups(), 3);
}

TEST_F(unread_stream, hears_of_everything_again_once_it_wants_to) {
  peer.send("ping");
  net.run(1'000);
  server.streams[0].what.wants_input = true;
  server.io.watch(server.streams[0].what);
  net.run(2'000);
  EXPECT_EQ(peer.received(), "ping");
}

TEST(simulated_engine, a_loop_that_spins_is_reported) {
  network net{1};
  echo_loop server{net, 0};
  net.connect(server.where.port);
  net.run(0);
  class spinning final : public network_host {
   public:
    bool has_work() const override { return true; }
    std::optional<std::uint64_t> due() const override { return {}; }
    void run_turn() override {}
    void notice(tcp_connection&, side) override {}
  } spins;
  net.add_host(spins);
  EXPECT_THROW(net.run(1), std::runtime_error);
}

TEST(simulated_engine, calls_at_the_earliest_armed_time_once) {
  network net{2};
  echo_loop server{net, 1'000};
  EXPECT_EQ(server.io.now(), 1'000);
  server.io.arm(6'000);
  server.io.arm(3'000);
  server.io.arm(9'000);
  net.run(20'000);
  EXPECT_EQ(server.times, std::vector<std::uint64_t>{3'000});
  server.io.arm(server.io.now());
  net.run(20'000);
  EXPECT_EQ(server.times.back(), 21'000);
}

TEST(simulated_engine, wakes_once_for_many_calls) {
  network net{2};
  echo_loop server{net, 0};
  server.io.wake();
  server.io.wake();
  net.run(10);
  EXPECT_EQ(server.wakes, 1);
}

TEST(simulated_engine, tells_of_a_stall_and_of_what_came_meanwhile_before_the_timer) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    network net{seed};
    echo_loop server{net, 0};
    simulated_peer peer{net, net.connect(server.where.port)};
    net.run(10);
    server.io.arm(1'000);
    server.io.freeze(5'000);
    peer.send("ping");
    net.run(4'000);
    EXPECT_EQ(server.total, 0);
    EXPECT_TRUE(server.times.empty());
    net.run(5'010, [&] { return !server.times.empty(); });
    EXPECT_EQ(server.times.front(), 5'010);
    EXPECT_EQ(server.total, 4);
  }
}

TEST(simulated_engine, a_failed_accept_takes_its_reservation_back_and_leaves_the_queue) {
  network net{2};
  echo_loop server{net, 0};
  net.faults.accept_failures = 0.9;
  simulated_peer peer{net, net.connect(server.where.port)};
  peer.send("ping");
  net.run(1);
  EXPECT_GT(server.accept_failed, 0);
  EXPECT_EQ(server.unreserved, server.accept_failed + 1);  // the last finds nobody
  EXPECT_EQ(peer.received(), "ping");
}

TEST(simulated_engine, a_set_that_takes_no_more_is_told) {
  network net{2};
  net.faults.watch_failures = 1;
  echo_loop server{net, 0};
  net.connect(server.where.port);
  net.run(1);
  EXPECT_EQ(server.streams[0].what.descriptor, -1);
  EXPECT_EQ(net[0].peer.error, ECONNRESET);
}

TEST(simulated_engine, two_engines_share_a_port_only_when_they_say_so) {
  network net{2};
  echo_loop first{net, 0};
  echo_loop second{net, 0};
  EXPECT_NE(first.where.port, second.where.port);
  listener_options options;
  options.where.port = 99;
  options.shared = true;
  first.io.listen(0, options);
  EXPECT_THROW(second.io.listen(0, options), std::system_error);
  options.joins = true;
  second.io.listen(0, options);
  for (int i = 0; i < 50; ++i) net.connect(99);
  net.run(1);
  EXPECT_GT(first.streams.size(), 5);
  EXPECT_GT(second.streams.size(), 5);
}

}  // namespace
}  // namespace dwell
