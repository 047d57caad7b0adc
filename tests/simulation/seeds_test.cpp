// Thousands of random scenarios, and what must hold in each: G7, and the amplification rule.
#include "scenario.hpp"

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

using dwell::close_record;
using dwell::connection;
using dwell::time_wait;

/// The scenario's own dice, apart from the network's: SplitMix64.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed ^ 0x5DEECE66DU} {}
  std::uint64_t below(std::uint64_t bound) {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return (z ^ (z >> 31U)) % bound;
  }
  bool once_in(std::uint64_t n) { return below(n) == 0; }
  dwell::duration up_to(dwell::duration most) {
    return dwell::duration{
        static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most.count())))};
  }
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return all.begin()[below(all.size())];
  }

 private:
  std::uint64_t state_;
};

/// What is counted about every connection of a scenario.
struct tally {
  std::map<dwell::connection_id, int> opens;
  std::map<dwell::connection_id, int> closes;
  std::map<dwell::connection_id, int> records;
  int sessions = 0;
};

struct session {
  tally* counts = nullptr;
  std::vector<dwell::owed> answers;
  session() = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() {
    if (counts != nullptr) --counts->sessions;
  }
};

/// A handler that does anything that a handler may do, by what it is sent.
dwell::callbacks<session> erratic(tally& counts, dice& random) {
  const auto act = [&](connection& peer, session& self, char what) {
    switch (what) {
      case 'a': peer.send(pattern(1 + random.below(3'000))); break;
      case 'b': peer.send(pattern(100'000)); break;
      case 'c': peer.close(); break;
      case 'd':
        peer.close(random.one_of({close_reason::finished, close_reason::protocol_error,
                                  close_reason::overload}),
                   random.one_of({close_method::graceful, close_method::peer_first,
                                  close_method::abort_after_fin, close_method::abort}));
        break;
      case 'e': peer.shutdown_send(); break;
      case 'f':
        peer.pause();
        peer.after(random.up_to(5s), [](connection& c) { c.resume(); });
        break;
      case 'g': self.answers.push_back(peer.owe()); break;
      case 'h': self.answers.clear(); break;
      case 'i': throw std::runtime_error{"erratic"};
      case 'j':
        peer.after(random.up_to(20s), [owed = peer.owe()](connection& c) { c.send("late"); });
        break;
      case 'k':
        peer.set_deadline(random.one_of({dwell::phase::idle, dwell::phase::handle,
                                         dwell::phase::write, dwell::phase::close}),
                          1ms + random.up_to(5s));
        break;
      case 'l':
        peer.announced_close();
        peer.close(close_reason::finished, close_method::peer_first);
        break;
      default: break;
    }
  };
  return {.on_open =
              [&counts, &random](connection& peer, session& self) {
                self.counts = &counts;
                ++counts.sessions;
                ++counts.opens[peer.id()];
                return !random.once_in(50);
              },
          .on_data =
              [act, &random](connection& peer, session& self, dwell::bytes data) {
                const std::size_t taken =
                    random.once_in(4) ? random.below(data.size() + 1) : data.size();
                for (const char each : data.first(std::min<std::size_t>(taken, 8)).text()) {
                  act(peer, self, each);
                }
                return taken;
              },
          .on_writable = [](connection& peer, session&) { EXPECT_LE(peer.queued(), 1 << 20); },
          .on_peer_closed =
              [&random](connection& peer, session&) {
                if (!random.once_in(5)) peer.close();
              },
          .on_close = [&counts](connection& peer, session&,
                                const close_record&) { ++counts.closes[peer.id()]; },
          .announces_close = true};
}

/// The same as a coroutine.
dwell::task<> erratic_coroutine(connection& peer, dice& random) {
  while (auto data = co_await peer.read()) {
    switch (data.text().front()) {
      case 'a': {
        const std::string text = pattern(1 + random.below(200'000));
        if (!co_await peer.write(text)) co_return;
        break;
      }
      case 'b': co_await dwell::sleep_for(random.up_to(40s)); break;
      case 'c': peer.close(); break;
      case 'd': co_return;
      case 'e': peer.shutdown_send(); break;
      case 'f': co_await peer.flush(); break;
      case 'i': throw std::runtime_error{"erratic"};
      default: co_await peer.write(data);
    }
  }
  if (random.once_in(3)) co_await dwell::sleep_for(random.up_to(10s));
}

void do_something(peer& who, dice& random) {
  switch (random.below(24)) {
    case 0: who.close(); break;
    case 1: who.reset(); break;
    case 2: who.vanish(); break;
    case 3: who.shutdown_send(); break;
    case 4: who.stop_reading(); break;
    case 5: who.start_reading(); break;
    case 6: who.stay_at_end(); break;
    case 7: who.send(pattern(random.below(200'000))); break;
    case 8: who.close_after(random.below(5'000)); break;
    default: {
      std::string text;
      for (std::uint64_t i = random.below(6); i > 0; --i) {
        text += static_cast<char>('a' + random.below(14));
      }
      who.send(text);
    }
  }
}

dwell::testing::faults random_faults(dice& random) {
  dwell::testing::faults made;
  if (random.once_in(2)) made.delay = random.up_to(100ms);
  if (random.once_in(3)) made.jitter = random.up_to(50ms);
  if (random.once_in(4)) made.loss = 0.05;
  if (random.once_in(4)) made.short_reads = 0.3;
  if (random.once_in(4)) made.short_writes = 0.3;
  if (random.once_in(6)) made.resets = 0.02;
  if (random.once_in(8)) made.accept_failures = 0.3;
  if (random.once_in(8)) made.watch_failures = 0.05;
  return made;
}

dwell::service_options random_options(dice& random, tally& counts) {
  const auto method = [&] {
    return random.one_of({close_method::graceful, close_method::peer_first,
                          close_method::abort_after_fin, close_method::abort});
  };
  const auto some = [&](dwell::duration most) { return 1ms + random.up_to(most); };
  dwell::service_options made;
  made.deadlines = {.idle = some(20s),
                    .read = some(10s),
                    .handle = some(20s),
                    .write = some(20s),
                    .close = some(5s)};
  if (random.once_in(3)) made.deadlines.lifetime = some(30s);
  if (random.once_in(2)) {
    made.close = {method(), method(), method(), method(), method(), method(), method(), method()};
    if (made.close.idle == close_method::peer_first) made.close.idle = close_method::graceful;
  }
  if (random.once_in(4)) made.mode = dwell::connection_mode::short_lived;
  if (random.once_in(4)) made.limits.exchanges = 1 + random.below(5);
  if (random.once_in(4)) made.limits.message = 10 + random.below(1'000);
  made.on_close = [&counts](const connection& peer, const close_record&) {
    ++counts.records[peer.id()];
  };
  return made;
}

void expect_plausible(const close_record& record, peer& who) {
  EXPECT_GE(record.age, 0s);
  EXPECT_EQ(record.age, *who.closed_after());
  EXPECT_LE(record.reap_raced, record.unread);
  if (record.done == close_method::abort && record.error == 0) {
    EXPECT_EQ(record.time_wait, time_wait::nowhere);
  }
  const bool peer_ended =
      record.reason == close_reason::peer_reset || record.reason == close_reason::peer_vanished;
  EXPECT_EQ(peer_ended, peer_ended && record.error != 0);
}

/// One scenario: a server with random options, up to 40 clients that do random things on a random
/// network, for two minutes; then the clients stop, and after the longest deadline nothing may be
/// left.
void run_scenario(std::uint64_t seed) {
  dice random{seed};
  tally counts;
  {
    simulation sim{{.seed = seed, .faults = random_faults(random)}};
    dwell::server_options process;
    if (random.once_in(3)) process.connections = 1 + random.below(20);
    process.full = random.one_of(
        {dwell::when_full::evict_idle, dwell::when_full::pause_accept, dwell::when_full::refuse});
    const auto coroutine = [&random](connection& peer) { return erratic_coroutine(peer, random); };
    process.pressure.patience =
        random.one_of({dwell::duration{0}, dwell::duration{3s}, dwell::off});
    process.pressure.shrink_idle_at = 50 + static_cast<std::uint32_t>(random.below(51));
    process.pressure.reap_rate =
        random.one_of({dwell::unlimited, std::uint64_t{1}, std::uint64_t{50}});
    if (random.once_in(4)) process.pressure.memory = std::uint64_t{1} << 20;
    auto& server = random.once_in(3) ? sim.serve(random_options(random, counts), coroutine, process)
                                     : sim.serve(random_options(random, counts),
                                                 erratic(counts, random), process);
    std::vector<peer> peers;
    for (int i = 0; i < 200; ++i) {
      if (peers.size() < 40 && random.once_in(3)) peers.push_back(sim.connect(server));
      if (!peers.empty()) do_something(peers[random.below(peers.size())], random);
      if (random.once_in(60)) sim.freeze(server, random.up_to(10s));
      sim.advance(random.once_in(10) ? random.up_to(5s) : random.up_to(200ms));
      const auto now = server.counts();
      ASSERT_LE(now.live + now.waiting_for_frames, process.connections);
    }
    if (random.once_in(2)) server.drain();
    for (auto& each : peers) {
      if (random.once_in(4)) each.close();
    }
    // The longest chain of deadlines: a write that makes progress, an answer owed, idling, closing.
    sim.set_faults({});
    sim.advance(10min);

    const auto end = server.counts();
    EXPECT_EQ(end.live, 0);
    EXPECT_EQ(end.waiting_for_frames, 0);
    std::uint64_t closed = 0;
    for (const std::uint64_t each : end.closed) closed += each;
    EXPECT_EQ(end.opened, closed);
    EXPECT_EQ(counts.records.size(), end.opened);
    for (const auto& [id, times] : counts.records) EXPECT_EQ(times, 1);
    EXPECT_EQ(counts.opens.size(), counts.closes.size());
    for (const auto& [id, times] : counts.closes) EXPECT_EQ(times, 1);
    EXPECT_EQ(counts.sessions, 0);
    for (auto& each : peers) {
      EXPECT_FALSE(each.is_open());
      const bool maybe_refused = each.closed_after() == 0s;  // then there is no record
      if (each.closed_after() && !maybe_refused) expect_plausible(each.record(), each);
    }
    // No live timer: nothing wakes the loop any more.
    const std::uint64_t before = sim.wakeups(server);
    sim.advance(24h);
    EXPECT_EQ(sim.wakeups(server), before);
  }
  EXPECT_EQ(counts.sessions, 0);
}

/// DWELL_SEED repeats one scenario, DWELL_SEEDS sets how many there are.
void run_scenarios(void (*run)(std::uint64_t), std::uint64_t count) {
  std::uint64_t from = 0;
  if (const char* set = std::getenv("DWELL_SEED")) {
    from = std::strtoull(set, nullptr, 10);
    count = 1;
  } else if (const char* many = std::getenv("DWELL_SEEDS")) {
    count = std::strtoull(many, nullptr, 10);
  }
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    SCOPED_TRACE("repeat with DWELL_SEED=" + std::to_string(seed));
    try {
      run(seed);
    } catch (const std::exception& failure) {
      ADD_FAILURE() << failure.what();
    }
    if (::testing::Test::HasFailure()) return;
  }
}

/// Clients that behave, on a network that does not: every byte comes back.
void run_exact_bodies(std::uint64_t seed) {
  dice random{seed};
  dwell::testing::faults faults{.delay = random.up_to(50ms), .jitter = random.up_to(30ms)};
  if (random.once_in(2)) faults.loss = 0.1;
  if (random.once_in(2)) faults.short_reads = 0.3;
  if (random.once_in(2)) faults.short_writes = 0.5;
  if (random.once_in(3)) faults.accept_failures = 0.2;
  simulation sim{{.seed = seed, .faults = faults}};
  const dwell::service_options options{
      .deadlines = {.idle = 1h, .handle = 1h, .write = 1h},
      .close = {.finished =
                    random.one_of({close_method::graceful, close_method::abort_after_fin})}};
  const auto coroutine = [&random](connection& peer) -> dwell::task<> {
    while (auto data = co_await peer.read()) {
      if (random.once_in(5)) co_await dwell::sleep_for(random.up_to(50ms));
      if (!co_await peer.write(data)) co_return;
    }
  };
  // Nobody is to make room for another, whose accept fails.
  const dwell::server_options process{.full = dwell::when_full::pause_accept};
  auto& server = random.once_in(2) ? sim.serve(options, coroutine, process)
                                   : sim.serve(options, echoing(), process);
  struct conversation {
    peer client;
    std::string said;
  };
  std::vector<conversation> all;
  for (int i = 0; i < 8; ++i) all.push_back({sim.connect(server), {}});
  for (int i = 0; i < 60; ++i) {
    conversation& one = all[random.below(all.size())];
    std::string text = pattern(random.once_in(8) ? random.below(150'000) : random.below(2'000));
    if (!text.empty()) text.front() = static_cast<char>('A' + i % 26);
    one.client.send(text);
    one.said += text;
    if (random.once_in(10)) one.client.stop_reading();
    sim.advance(random.up_to(300ms));
    one.client.start_reading();
  }
  for (auto& each : all) each.client.shutdown_send();
  sim.advance(50min);
  for (auto& each : all) {
    ASSERT_TRUE(each.client.received() == each.said);
    ASSERT_TRUE(each.client.got_end());
    ASSERT_EQ(each.client.record().reason, close_reason::peer_closed);
    ASSERT_EQ(each.client.record().received, each.said.size());
    ASSERT_EQ(each.client.record().sent, each.said.size());
  }
}

TEST(seeds, one_close_each_and_no_live_timer_at_the_end) { run_scenarios(run_scenario, 300); }

TEST(seeds, every_byte_comes_back) { run_scenarios(run_exact_bodies, 200); }

}  // namespace
