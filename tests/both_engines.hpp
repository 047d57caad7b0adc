#pragma once

#include <dwell/dwell.hpp>
#include <dwell/testing/peer.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

/// One suite for both engines. `Engine` makes the network and says how long things take on it:
/// `long_time` is a deadline worth waiting for, `late` is by how much it may be missed.
template <class Engine>
class both_engines : public ::testing::Test {
 protected:
  using network = typename Engine::network;

  static dwell::task<> echo(dwell::connection& peer) {
    while (auto data = co_await peer.read()) co_await peer.write(data);
  }
  static std::string pattern(std::size_t size) {
    std::string made(size, 0);
    for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
    return made;
  }
  /// Until the connection has ended on both sides and its TIME_WAIT is where it stays.
  bool has_ended(dwell::testing::peer& peer) {
    const bool closed = net.run_until([&] { return !peer.is_open(); }, patience);
    net.advance(Engine::settling);
    return closed;
  }
  void expect_closed_after(const dwell::testing::peer& peer, dwell::duration due) {
    ASSERT_TRUE(peer.closed_after());
    EXPECT_GE(*peer.closed_after() + Engine::early, due);
    EXPECT_LE(*peer.closed_after(), due + Engine::late);
  }

  static constexpr dwell::duration patience = std::chrono::seconds{30};
  static constexpr dwell::duration long_time = Engine::long_time;
  network net;
};

TYPED_TEST_SUITE_P(both_engines);

TYPED_TEST_P(both_engines, echoes_and_reaps_the_quiet) {
  auto& server = this->net.serve({.deadlines = {.idle = this->long_time}}, this->echo);
  auto busy = this->net.connect(server), quiet = this->net.connect(server);
  for (int i = 0; i < 8; ++i) {
    busy.send("ping");
    this->net.advance(this->long_time / 4);
  }
  EXPECT_TRUE(busy.is_open());
  EXPECT_EQ(busy.received().size(), 32);
  this->expect_closed_after(quiet, this->long_time);
  EXPECT_EQ(quiet.record().reason, dwell::close_reason::idle_timeout);
  EXPECT_EQ(quiet.time_wait(), dwell::time_wait::here);
}

TYPED_TEST_P(both_engines, bounds_reading_and_handling) {
  using dwell::connection;
  struct waiting {
    dwell::owed answer;
  };
  const dwell::callbacks<waiting> calls{
      .on_data = [](connection& peer, waiting& self, dwell::bytes data) -> std::size_t {
        if (data.text().back() != '\n') return 0;
        self.answer = peer.owe();
        return data.size();
      }};
  auto& server = this->net.serve({.deadlines = {.idle = 10 * this->long_time,
                                                .read = this->long_time,
                                                .handle = this->long_time}},
                                 calls);
  auto half = this->net.connect(server), whole = this->net.connect(server);
  half.send("half");
  whole.send("whole\n");
  EXPECT_TRUE(this->has_ended(half));
  EXPECT_TRUE(this->has_ended(whole));
  this->expect_closed_after(half, this->long_time);
  this->expect_closed_after(whole, this->long_time);
  EXPECT_EQ(half.record().reason, dwell::close_reason::read_timeout);
  EXPECT_EQ(whole.record().reason, dwell::close_reason::handle_timeout);
}

TYPED_TEST_P(both_engines, places_time_wait_by_method) {
  using dwell::close_method;
  using dwell::time_wait;
  struct expectation {
    close_method method;
    time_wait where;
  };
  for (const auto& [method, where] :
       {expectation{close_method::graceful, time_wait::here},
        expectation{close_method::peer_first, time_wait::there},
        expectation{close_method::abort_after_fin, time_wait::nowhere},
        expectation{close_method::abort, time_wait::nowhere}}) {
    SCOPED_TRACE(to_string(method));
    const dwell::callbacks<> calls{
        .on_data =
            [method = method](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
              peer.send("answer");
              if (method == close_method::peer_first) peer.announced_close();
              peer.close(dwell::close_reason::finished, method);
              return data.size();
            },
        .announces_close = true};
    auto& server = this->net.serve({}, calls);
    auto peer = this->net.connect(server);
    if (method == close_method::peer_first) peer.close_after(6);
    peer.send("request");
    ASSERT_TRUE(this->has_ended(peer));
    EXPECT_EQ(peer.record().planned, method);
    EXPECT_EQ(peer.record().done, method);
    EXPECT_EQ(to_string(peer.record().time_wait), to_string(where));
    EXPECT_EQ(to_string(peer.time_wait()), to_string(where));
    if (method != close_method::abort) {
      EXPECT_EQ(peer.received(), "answer");
    } else {
      EXPECT_TRUE(peer.got_reset());
    }
  }
}

TYPED_TEST_P(both_engines, shares_a_segment_for_last_bytes_and_fin_in_short_mode) {
  const std::string answer = this->pattern(10'000);
  const dwell::callbacks<> calls{
      .on_data = [&](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        peer.send(answer);
        return data.size();
      }};
  auto& server = this->net.serve({.mode = dwell::connection_mode::short_lived}, calls);
  for (int i = 0; i < 20; ++i) {
    auto peer = this->net.connect(server);
    peer.close_after(answer.size());
    peer.send("request");
    ASSERT_TRUE(this->has_ended(peer));
    EXPECT_TRUE(peer.received() == answer);
    EXPECT_EQ(peer.record().time_wait, dwell::time_wait::here);
    EXPECT_EQ(to_string(peer.time_wait()), "here");
  }
}

TYPED_TEST_P(both_engines, shares_a_segment_for_the_end_of_a_file_and_fin) {
  constexpr std::size_t size = 10'000;
  std::FILE* const made = std::tmpfile();
  ASSERT_EQ(::ftruncate(::fileno(made), size), 0);
  const auto opened = std::make_shared<const dwell::file>(::dup(::fileno(made)));
  std::fclose(made);
  for (const bool later : {false, true}) {  // the end is decided once the file has left
    const dwell::callbacks<> calls{
        .on_open =
            [](dwell::connection& peer, dwell::no_session&) {
              peer.delimits_messages();
              return true;
            },
        .on_data =
            [&](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
              peer.announced_close();
              peer.send_file({.of = opened, .size = size});
              if (!later) peer.close();
              return data.size();
            },
        .on_writable = [](dwell::connection& peer, dwell::no_session&) { peer.close(); }};
    auto& server = this->net.serve({}, calls);
    for (int i = 0; i < 10; ++i) {
      auto peer = this->net.connect(server);
      peer.close_after(size);
      peer.send("request");
      ASSERT_TRUE(this->has_ended(peer));
      EXPECT_EQ(peer.received().size(), size);
      EXPECT_EQ(to_string(peer.time_wait()), "here");
    }
  }
}

TYPED_TEST_P(both_engines, closes_passively_after_the_peer) {
  auto& server = this->net.serve({}, this->echo);
  auto peer = this->net.connect(server);
  peer.send("ping");
  ASSERT_TRUE(this->net.run_until([&] { return peer.received() == "ping"; }, this->patience));
  peer.close();
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::peer_closed);
  EXPECT_EQ(peer.record().first, dwell::first_closer::peer);
  EXPECT_EQ(to_string(peer.record().time_wait), "there");
  EXPECT_EQ(to_string(peer.time_wait()), "there");
}

TYPED_TEST_P(both_engines, tells_a_reset_from_an_end) {
  auto& server = this->net.serve({}, this->echo);
  auto peer = this->net.connect(server);
  peer.send("ping");
  ASSERT_TRUE(this->net.run_until([&] { return peer.received() == "ping"; }, this->patience));
  peer.reset();
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::peer_reset);
  EXPECT_EQ(peer.record().error, ECONNRESET);
  EXPECT_EQ(to_string(peer.time_wait()), "nowhere");
}

TYPED_TEST_P(both_engines, answers_whole_after_a_half_close) {
  const std::string request = this->pattern(500'000);
  const auto reverse = [](dwell::connection& peer) -> dwell::task<> {
    std::string all;
    while (auto data = co_await peer.read()) all += data.text();
    std::reverse(all.begin(), all.end());
    co_await peer.write(all);
  };
  auto& server = this->net.serve({.limits = {.output = 1 << 20}}, reverse);
  auto peer = this->net.connect(server);
  peer.send(request);
  peer.shutdown_send();
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_TRUE(peer.received() == std::string(request.rbegin(), request.rend()));
  EXPECT_TRUE(peer.got_end());
  EXPECT_EQ(to_string(peer.time_wait()), "there");
}

TYPED_TEST_P(both_engines, lingers_for_a_peer_that_still_sends) {
  const dwell::callbacks<> calls{
      .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        peer.send("413");
        peer.close(dwell::close_reason::protocol_error);
        return data.size();
      }};
  auto& server = this->net.serve({}, calls);
  auto peer = this->net.connect(server);
  peer.send(this->pattern(3'000'000));
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.received(), "413");
  EXPECT_FALSE(peer.got_reset());
  EXPECT_TRUE(peer.record().lingered);
}

TYPED_TEST_P(both_engines, keeps_a_slow_reader_and_every_byte) {
  const std::string body = this->pattern(8'000'000);
  const auto pour = [&](dwell::connection& peer) -> dwell::task<> {
    for (std::size_t at = 0; at < body.size(); at += 50'000) {
      const std::string chunk = body.substr(at, 50'000);
      if (!co_await peer.write(chunk)) co_return;
    }
  };
  auto& server = this->net.serve({.deadlines = {.write = 4 * this->long_time}}, pour);
  auto peer = this->net.connect(server);
  for (int i = 0; i < 6; ++i) {
    peer.stop_reading();
    this->net.advance(this->long_time / 2);
    peer.start_reading();
    this->net.advance(std::chrono::milliseconds{1});
  }
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::finished);
  EXPECT_TRUE(peer.received() == body);
}

TYPED_TEST_P(both_engines, sends_a_file_to_a_slow_reader) {
  const std::string body = this->pattern(8'000'000);
  std::FILE* const made = std::tmpfile();
  ASSERT_EQ(std::fwrite(body.data(), 1, body.size(), made), body.size());
  std::fflush(made);
  const auto opened = std::make_shared<const dwell::file>(::dup(::fileno(made)));
  std::fclose(made);
  const auto pour = [&](dwell::connection& peer) -> dwell::task<> {
    peer.send("before");
    peer.send_file({.of = opened, .offset = 1, .size = body.size() - 2});
    co_await peer.write("after");
  };
  auto& server = this->net.serve({.deadlines = {.write = 4 * this->long_time}}, pour);
  auto peer = this->net.connect(server);
  for (int i = 0; i < 6; ++i) {
    peer.stop_reading();
    this->net.advance(this->long_time / 2);
    peer.start_reading();
    this->net.advance(std::chrono::milliseconds{1});
  }
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::finished);
  EXPECT_TRUE(peer.received() == "before" + body.substr(1, body.size() - 2) + "after");
}

TYPED_TEST_P(both_engines, ends_who_stops_reading_a_file) {
  std::FILE* const made = std::tmpfile();
  ASSERT_EQ(::ftruncate(::fileno(made), 50'000'000), 0);
  auto opened = std::make_shared<const dwell::file>(::dup(::fileno(made)));
  std::fclose(made);
  const std::weak_ptr<const dwell::file> watched = opened;
  const auto pour = [&](dwell::connection& peer) -> dwell::task<> {
    peer.send_file({.of = std::move(opened), .size = 50'000'000});
    co_await peer.flush();
  };
  auto& server = this->net.serve({.deadlines = {.write = this->long_time}}, pour);
  auto peer = this->net.connect(server);
  peer.stop_reading();
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::write_timeout);
  EXPECT_GT(peer.record().unsent, 0U);
  EXPECT_TRUE(watched.expired());
}

TYPED_TEST_P(both_engines, ends_who_stops_reading) {
  const std::string body = this->pattern(100'000);
  const auto pour = [&](dwell::connection& peer) -> dwell::task<> {
    while (co_await peer.write(body)) {
    }
  };
  auto& server = this->net.serve({.deadlines = {.write = this->long_time}}, pour);
  auto peer = this->net.connect(server);
  peer.stop_reading();
  ASSERT_TRUE(this->has_ended(peer));
  EXPECT_EQ(peer.record().reason, dwell::close_reason::write_timeout);
  EXPECT_EQ(peer.record().done, dwell::close_method::abort);
  EXPECT_GT(peer.record().unsent, 0);
}

TYPED_TEST_P(both_engines, refuses_over_the_limit_and_lets_in_again) {
  auto& server =
      this->net.serve({}, this->echo, {.connections = 2, .full = dwell::when_full::refuse});
  auto first = this->net.connect(server), second = this->net.connect(server);
  first.send("1");
  second.send("2");
  ASSERT_TRUE(this->net.run_until(
      [&] { return first.received() == "1" && second.received() == "2"; }, this->patience));
  auto third = this->net.connect(server);
  ASSERT_TRUE(this->net.run_until([&] { return third.got_reset(); }, this->patience));
  first.close();
  ASSERT_TRUE(this->has_ended(first));
  auto fourth = this->net.connect(server);
  fourth.send("4");
  EXPECT_TRUE(this->net.run_until([&] { return fourth.received() == "4"; }, this->patience));
  EXPECT_EQ(server.counts().refused, 1);
}

TYPED_TEST_P(both_engines, drains) {
  const auto slow_echo = [time = this->long_time](dwell::connection& peer) -> dwell::task<> {
    while (auto data = co_await peer.read()) {
      co_await dwell::sleep_for(time);
      co_await peer.write(data);
    }
  };
  auto& server = this->net.serve({}, slow_echo, {.drain = {.first_request = dwell::duration{0}}});
  auto idle = this->net.connect(server), busy = this->net.connect(server);
  busy.send("ping");
  ASSERT_TRUE(this->net.run_until([&] { return server.counts().received == 4; }, this->patience));
  server.drain();
  ASSERT_TRUE(this->has_ended(idle));
  ASSERT_TRUE(this->has_ended(busy));
  EXPECT_EQ(busy.received(), "ping");
  EXPECT_EQ(idle.record().reason, dwell::close_reason::drain);
  EXPECT_EQ(busy.record().reason, dwell::close_reason::drain);
  EXPECT_EQ(server.counts().live, 0);
}

TYPED_TEST_P(both_engines, posts_to_a_connection) {
  auto id = std::make_shared<std::atomic<std::uint64_t>>(0);
  auto where = std::make_shared<dwell::connection_id>();
  const dwell::callbacks<> calls{.on_open = [=](dwell::connection& peer, dwell::no_session&) {
    *where = peer.id();
    id->store(peer.id().generation);
    return true;
  }};
  auto& server = this->net.serve({}, calls);
  auto peer = this->net.connect(server);
  ASSERT_TRUE(this->net.run_until([&] { return id->load() != 0; }, this->patience));
  EXPECT_TRUE(server.post(*where, [](dwell::connection& c) { c.send("posted"); }));
  EXPECT_TRUE(this->net.run_until([&] { return peer.received() == "posted"; }, this->patience));
}

TYPED_TEST_P(both_engines, ends_only_the_connection_whose_handler_throws) {
  const auto throwing = [](dwell::connection& peer) -> dwell::task<> {
    while (auto data = co_await peer.read()) {
      if (data.text() == "throw") throw std::runtime_error{"told to"};
      co_await peer.write(data);
    }
  };
  auto& server = this->net.serve({}, throwing);
  auto bad = this->net.connect(server), good = this->net.connect(server);
  bad.send("throw");
  good.send("ping");
  ASSERT_TRUE(this->has_ended(bad));
  EXPECT_EQ(bad.record().reason, dwell::close_reason::handler_failed);
  EXPECT_TRUE(bad.got_reset());
  EXPECT_TRUE(this->net.run_until([&] { return good.received() == "ping"; }, this->patience));
  EXPECT_TRUE(good.is_open());
}

TYPED_TEST_P(both_engines, hosts_several_services) {
  const auto greeting = [](std::string word) {
    return dwell::callbacks<>{.on_open = [word](dwell::connection& peer, dwell::no_session&) {
      peer.send(word);
      return true;
    }};
  };
  auto& server = this->net.serve({}, greeting("one"));
  const dwell::endpoint second = this->net.serve(server, {}, greeting("two"));
  auto one = this->net.connect(server), two = this->net.connect(second);
  EXPECT_TRUE(this->net.run_until(
      [&] { return one.received() == "one" && two.received() == "two"; }, this->patience));
}

TYPED_TEST_P(both_engines, refused_where_nobody_listens) {
  auto peer = this->net.connect(dwell::endpoint{.port = 9});
  EXPECT_TRUE(this->net.run_until([&] { return peer.got_reset(); }, this->patience));
  EXPECT_FALSE(peer.is_open());
  EXPECT_THROW(peer.record(), std::logic_error);
}

REGISTER_TYPED_TEST_SUITE_P(both_engines, echoes_and_reaps_the_quiet, bounds_reading_and_handling,
                            places_time_wait_by_method,
                            shares_a_segment_for_last_bytes_and_fin_in_short_mode,
                            shares_a_segment_for_the_end_of_a_file_and_fin,
                            closes_passively_after_the_peer, tells_a_reset_from_an_end,
                            answers_whole_after_a_half_close, lingers_for_a_peer_that_still_sends,
                            keeps_a_slow_reader_and_every_byte, sends_a_file_to_a_slow_reader,
                            ends_who_stops_reading_a_file, ends_who_stops_reading,
                            refuses_over_the_limit_and_lets_in_again, drains, posts_to_a_connection,
                            ends_only_the_connection_whose_handler_throws, hosts_several_services,
                            refused_where_nobody_listens);
