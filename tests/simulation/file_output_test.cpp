// connection::send_file: the order of bytes, deadlines, turns, and that a cut file never looks
// whole.
#include "scenario.hpp"
#include "temporary_folder.hpp"
#include "tls_peer.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <random>

namespace {

using dwell::connection;
using dwell::file_part;
using dwell::no_session;

constexpr std::size_t per_turn = 256 * 1024;

dwell::service_options secured(dwell::service_options options = {}) {
  static const dwell::tls_certificate certificate = dwell::self_signed({"localhost"});
  options.tls = dwell::tls_options{.certificate = certificate};
  return options;
}

/// Sends what `answer` sends to whoever says something.
template <class Answer>
dwell::callbacks<> answering(Answer answer) {
  return {.on_data = [answer](connection& peer, no_session&, dwell::bytes data) {
    answer(peer);
    return data.size();
  }};
}

class file_output : public ::testing::Test {
 protected:
  explicit file_output(std::size_t size = 3'000'000) : content_{pattern(size)} {}

  file_part part(std::uint64_t offset, std::uint64_t size) const {
    return {.of = file_, .offset = offset, .size = size};
  }
  file_part whole() const { return part(0, content_.size()); }

  temporary_folder folder_;
  std::string content_;
  std::string name_ = folder_.write("file", content_);
  std::shared_ptr<const dwell::file> file_ = std::make_shared<const dwell::file>(name_);
};

TEST_F(file_output, keeps_its_place_between_what_is_sent) {
  with_seeds([this](std::uint64_t seed) {
    std::mt19937_64 random{seed};
    simulation sim{{.seed = seed, .faults = {.jitter = 2ms, .short_writes = 0.3}}};
    const std::uint64_t offset = random() % content_.size();
    const std::uint64_t size = random() % (content_.size() - offset) + 1;
    const std::string before = pattern(random() % 40'000), after = pattern(random() % 40'000);
    const auto answer = [&](connection& peer) {
      EXPECT_TRUE(peer.send(before));
      EXPECT_TRUE(peer.is_writable());
      EXPECT_TRUE(peer.send_file(part(offset, size)));
      EXPECT_FALSE(peer.is_writable());
      EXPECT_FALSE(peer.send_file(part(0, 1)));  // one at a time
      EXPECT_TRUE(peer.send(after));
      EXPECT_GE(peer.queued(), size + after.size());
    };
    const std::string expected = before + content_.substr(offset, size) + after;
    auto& plain = sim.serve({}, answering(answer));
    auto reader = sim.connect(plain);
    reader.send("x");
    auto& safe = sim.serve(secured(), answering(answer));
    tls_peer over_tls{sim, safe};
    over_tls.write("x");
    EXPECT_TRUE(
        over_tls.run_until([&] { return over_tls.received().size() >= expected.size(); }, 60s));
    sim.advance(10s);
    EXPECT_TRUE(reader.received() == expected);
    EXPECT_TRUE(over_tls.received() == expected);
  });
}

TEST_F(file_output, tells_when_there_is_room_again) {
  for (const bool tls : {false, true}) {
    simulation sim{{.seed = 3}};
    int files = 0;
    int rooms = 0;
    dwell::callbacks<> calls = answering([&](connection& peer) {
      peer.send_file(whole());
      ++files;
    });
    calls.on_writable = [&](connection& peer, no_session&) {
      ++rooms;
      EXPECT_TRUE(peer.is_writable());
      if (files == 3) return;
      peer.send_file(whole());
      ++files;
    };
    auto& server = sim.serve(tls ? secured() : dwell::service_options{}, calls);
    if (tls) {
      tls_peer client{sim, server};
      client.write("x");
      client.run_until([&] { return client.received().size() == 3 * content_.size(); }, 60s);
      EXPECT_EQ(client.received().size(), 3 * content_.size());
    } else {
      auto client = sim.connect(server);
      client.send("x");
      sim.advance(10s);
      EXPECT_TRUE(client.received() == content_ + content_ + content_);
    }
    EXPECT_EQ(rooms, 3);
  }
}

TEST_F(file_output, a_turn_takes_no_more_than_its_share) {
  simulation sim{{.seed = 5}};
  const int all_of_it = 8'000'000;  // the kernel would take it in one call
  auto& server = sim.serve({.socket = {.send_buffer = all_of_it}},
                           answering([this](connection& peer) { peer.send_file(whole()); }));
  auto client = sim.connect(server);
  sim.advance(1ms);
  const std::uint64_t before = sim.wakeups(server);
  client.send("x");
  sim.advance(5s);
  EXPECT_EQ(client.received().size(), content_.size());
  const std::uint64_t turns = sim.wakeups(server) - before;
  EXPECT_GE(turns, content_.size() / per_turn);
  EXPECT_LE(turns, content_.size() / per_turn + 4);  // and nobody spins
}

TEST_F(file_output, one_that_advances_stays_and_one_that_stalls_ends_at_its_deadline) {
  with_seeds(
      [this](std::uint64_t seed) {
        for (const bool tls : {false, true}) {
          simulation sim{{.seed = seed, .faults = {.delay = 20ms}}};
          dwell::service_options options{.deadlines = {.idle = 5s, .handle = 5s, .write = 10s}};
          auto& server =
              sim.serve(tls ? secured(options) : options,
                        answering([this](connection& peer) { peer.send_file(whole()); }));
          std::optional<tls_peer> over_tls;
          std::optional<peer> plain;
          if (tls) {
            over_tls.emplace(sim, server);
            over_tls->write("x");
            over_tls->run_until([&] { return !over_tls->received().empty(); }, 5s);
          } else {
            plain.emplace(sim.connect(server));
            plain->send("x");
            sim.run_until([&] { return !plain->received().empty(); }, 5s);
          }
          peer& client = tls ? over_tls->socket() : *plain;
          for (int i = 0; i < 5; ++i) {  // takes what has come, and nothing for 8 s
            client.stop_reading();
            sim.advance(8s);
            ASSERT_TRUE(client.is_open());
            client.start_reading();
            if (tls) over_tls->pump();
            sim.advance(1ms);
          }
          client.stop_reading();
          const dwell::duration since = sim.now();
          ASSERT_TRUE(client.is_open());
          ASSERT_TRUE(sim.run_until([&] { return !client.is_open(); }, 1min));
          EXPECT_GE(sim.now() - since, 9s);
          EXPECT_LE(sim.now() - since, 12s);  // an eighth late at most, and what was in flight
          EXPECT_EQ(client.record().reason, close_reason::write_timeout);
          EXPECT_GT(client.record().unsent, 0U);
        }
      },
      8);
}

TEST_F(file_output, leaves_whole_before_a_close_or_a_half_close) {
  with_seeds([this](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.delay = 2ms, .short_writes = 0.2}}};
    for (const bool closes : {true, false}) {
      auto& server = sim.serve({}, answering([&](connection& peer) {
                                 peer.send_file(whole());
                                 if (closes) {
                                   peer.close();
                                 } else {
                                   peer.shutdown_send();
                                 }
                               }));
      auto client = sim.connect(server);
      client.send("x");
      sim.advance(10s);
      EXPECT_TRUE(client.received() == content_);
      EXPECT_TRUE(client.got_end());
      ASSERT_FALSE(client.is_open());
      EXPECT_EQ(client.record().unsent, 0U);
    }
  });
}

TEST_F(file_output, shares_its_last_segment_with_our_fin) {
  for (const std::uint64_t size : {std::uint64_t{10'000}, std::uint64_t{1'000'000}}) {
    simulation sim{{.seed = 4}};
    auto& server = sim.serve({.mode = dwell::connection_mode::short_lived},
                             answering([&](connection& peer) { peer.send_file(part(0, size)); }));
    auto client = sim.connect(server);
    client.close_after(size);
    client.send("x");
    sim.advance(10s);
    EXPECT_EQ(client.received().size(), size);
    ASSERT_FALSE(client.is_open());
    EXPECT_EQ(to_string(client.time_wait()), "here");  // apart, the client would close first
  }
}

TEST_F(file_output, a_coroutine_waits_for_all_of_it) {
  simulation sim{{.seed = 6}};
  auto& server = sim.serve({}, [this](connection& peer) -> dwell::task<> {
    co_await peer.read();
    peer.send_file(whole());
    const bool flushed = co_await peer.flush();
    EXPECT_TRUE(flushed);
    EXPECT_EQ(peer.sent(), content_.size());
    peer.send_file(part(0, 5));
    const bool room = co_await peer.write("end");
    EXPECT_TRUE(room);
  });
  auto client = sim.connect(server);
  client.send("x");
  sim.advance(10s);
  EXPECT_TRUE(client.received() == content_ + content_.substr(0, 5) + "end");
}

TEST_F(file_output, becomes_shorter_and_does_not_look_whole) {
  for (const bool tls : {false, true}) {
    for (const bool closing : {false, true}) {
      simulation sim{{.seed = 7, .faults = {.delay = 20ms}}};
      std::filesystem::resize_file(name_, 0);
      std::filesystem::resize_file(name_, content_.size());
      auto& server =
          sim.serve(tls ? secured() : dwell::service_options{}, answering([&](connection& peer) {
                      peer.send_file(whole());
                      if (closing) peer.close();
                    }));
      std::optional<tls_peer> over_tls;
      std::optional<peer> plain;
      if (tls) {
        over_tls.emplace(sim, server);
        over_tls->write("x");
        over_tls->run_until([&] { return !over_tls->received().empty(); }, 5s);
      } else {
        plain.emplace(sim.connect(server));
        plain->send("x");
        sim.run_until([&] { return !plain->received().empty(); }, 5s);
      }
      peer& client = tls ? over_tls->socket() : *plain;
      client.stop_reading();
      std::filesystem::resize_file(name_, 1000);
      sim.advance(1ms);
      client.start_reading();
      for (int i = 0; i < 2000 && client.is_open(); ++i) {
        if (tls) over_tls->pump();
        sim.advance(1ms);
      }
      ASSERT_FALSE(client.is_open());
      sim.advance(1s);
      EXPECT_TRUE(client.got_reset());
      EXPECT_EQ(client.record().done, close_method::abort);
      if (!closing) {
        EXPECT_EQ(client.record().reason, close_reason::handler_failed);
      }
      EXPECT_LT(client.record().sent, content_.size());
    }
  }
}

TEST_F(file_output, lets_the_file_go_with_its_last_byte_or_its_connection) {
  enum class end { finished, reset, stalled, aborted, drained };
  for (const end how : {end::finished, end::reset, end::stalled, end::aborted, end::drained}) {
    for (const bool tls : {false, true}) {
      simulation sim{{.seed = 8, .faults = {.delay = 20ms}}};
      auto opened = std::make_shared<const dwell::file>(name_);
      const std::weak_ptr<const dwell::file> watched = opened;
      dwell::connection_id id;
      auto& server = sim.serve(tls ? secured({.deadlines = {.write = 2s}})
                                   : dwell::service_options{.deadlines = {.write = 2s}},
                               answering([&](connection& peer) {
                                 id = peer.id();
                                 peer.send_file({.of = std::move(opened), .size = content_.size()});
                               }));
      std::optional<tls_peer> over_tls;
      std::optional<peer> plain;
      if (tls) {
        over_tls.emplace(sim, server);
        over_tls->write("x");
        over_tls->run_until([&] { return !over_tls->received().empty(); }, 5s);
      } else {
        plain.emplace(sim.connect(server));
        plain->send("x");
        sim.run_until([&] { return !plain->received().empty(); }, 5s);
      }
      peer& client = tls ? over_tls->socket() : *plain;
      EXPECT_FALSE(watched.expired());
      switch (how) {
        case end::finished: break;
        case end::reset: client.reset(); break;
        case end::stalled: client.stop_reading(); break;
        case end::aborted:
          server.post(id,
                      [](connection& c) { c.close(close_reason::finished, close_method::abort); });
          break;
        case end::drained:
          client.stop_reading();
          server.drain();
          break;
      }
      for (int i = 0; i < 4000 && !watched.expired(); ++i) {
        if (tls && how != end::stalled) over_tls->pump();
        if (how == end::drained && i == 100) client.start_reading();
        sim.advance(1ms);
      }
      EXPECT_TRUE(watched.expired()) << static_cast<int>(how) << (tls ? " over TLS" : "");
      if (how == end::drained && !tls) {
        sim.advance(1s);
        EXPECT_TRUE(client.received() == content_);
      }
    }
  }
}

TEST_F(file_output, says_what_cannot_be_opened) {
  EXPECT_THROW(dwell::file{(folder_.path() / "none").string()}, std::system_error);
  EXPECT_THROW(dwell::file{folder_.path().string()}, std::system_error);
  EXPECT_THROW(dwell::file{"/dev/null"}, std::system_error);
  const file_part all = dwell::whole_file(name_);
  EXPECT_EQ(all.size, content_.size());
  simulation sim{{.seed = 9}};
  auto& server = sim.serve({}, answering([](connection& peer) {
                             EXPECT_TRUE(peer.send_file({}));  // nothing of it
                             EXPECT_TRUE(peer.is_writable());
                             peer.close();
                             EXPECT_FALSE(peer.send_file({}));
                           }));
  sim.connect(server).send("x");
  sim.advance(1s);
}

}  // namespace
