// HTTP where time, the network or the end of the connection plays a part; what bytes alone decide
// is in tests/http_cases.
#include "http_cases/answers.hpp"
#include "http_cases/service.hpp"
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

namespace {

using dwell::testing::answers;
using dwell::testing::read_answers;
namespace http = dwell::http;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string get_of(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string post_of(std::size_t length, const std::string& fields = {}) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n" +
         fields + "\r\n";
}
std::string answered(const peer& by) {
  return to_string(read_answers(by.received(), by.got_end()));
}

/// A server of the routes that the table of raw requests is for.
struct site {
  explicit site(std::uint64_t seed, dwell::service_options options = {},
                dwell::testing::faults faults = {}, http::options http_options = {})
      : sim{{.seed = seed, .faults = faults}},
        server{sim.serve(std::move(options),
                         http::serve(routes_of_cases(seen), std::move(http_options)))} {}
  peer connect() { return sim.connect(server); }

  dwell::testing::seen_requests seen;
  simulation sim;
  dwell::server& server;
};

// ── refusals ──

TEST(http_refused, in_the_phase_that_it_was_read_in) {
  with_seeds([](std::uint64_t seed) {
    for (const std::string& bytes : {std::string{"GET\n\r\n"}, get + "nonsense\r\n\r\n"}) {
      site all{seed};
      auto client = all.connect();
      client.send(bytes);  // in one go: the clock of phases has not seen it begin
      all.sim.advance(1s);
      client.close();
      all.sim.advance(1min);
      ASSERT_FALSE(client.is_open());
      EXPECT_EQ(client.record().reason, close_reason::protocol_error) << bytes;
      EXPECT_EQ(client.record().phase, dwell::phase::read) << bytes;
    }
  });
}

// ── pipelining ──

TEST(http_pipelining, ten_thousand_requests_are_answered_and_others_not_kept_waiting) {
  with_seeds(
      [](std::uint64_t seed) {
        site all{seed};
        auto many = all.connect(), one = all.connect();
        std::string text;
        for (int i = 0; i < 10'000; ++i) text += get;
        many.send(text);
        one.send(get);
        all.sim.advance(5ms);
        EXPECT_EQ(answered(one), "200 [OK]");
        all.sim.advance(5s);
        ASSERT_TRUE(many.is_open())
            << to_string(many.record().reason) << " in " << to_string(many.record().phase)
            << " after " << many.record().exchanges;
        EXPECT_EQ(read_answers(many.received(), false).all.size(), 10'000U);
        one.send(get);
        all.sim.advance(5ms);
        EXPECT_EQ(answered(one), "200 [OK], 200 [OK]");
      },
      4);
}

TEST(http_pipelining, a_client_that_does_not_read_makes_nothing_pile_up) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.write = 10s}}};
    auto client = all.connect();
    client.stop_reading();
    std::string text;
    while (text.size() < 64 * 1024) text += get_of("/bytes/1000000");
    client.send(text);
    all.sim.advance(5s);
    std::size_t queued = 0;
    all.server.each([&](dwell::connection& peer) { queued = peer.queued(); });
    all.sim.advance(1s);
    EXPECT_GT(queued, 0U);
    EXPECT_LE(queued, 64U * 1024 + 1);
    all.sim.advance(20s);
    EXPECT_EQ(client.record().reason, close_reason::write_timeout);
  });
}

TEST(http_pipelining, a_slow_reader_gets_every_byte_in_order) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {}, {.delay = 20ms, .short_reads = 0.3, .short_writes = 0.3}};
    auto client = all.connect();
    client.send(get_of("/bytes/400000") + get_of("/later-bytes/300000") +
                get_of("/stream/30/20000") + get_of("/hello/x"));
    for (int i = 0; i < 20; ++i) {
      client.stop_reading();
      all.sim.advance(2s);
      client.start_reading();
      all.sim.advance(10ms);
    }
    all.sim.advance(10s);
    EXPECT_EQ(answered(client), "200 [#400000], 200 [#300000], 200 chunked [#600000], 200 [x]");
    EXPECT_TRUE(client.is_open());
  });
}

TEST(http_pipelining, is_cut_off_by_a_stream_that_throws) {
  with_seeds([](std::uint64_t seed) {
    site all{seed};
    auto client = all.connect();
    client.send(get + get_of("/throws-midway") + get);
    all.sim.advance(1s);
    EXPECT_EQ(client.record().reason, close_reason::handler_failed);
    EXPECT_EQ(client.record().done, close_method::abort);
    EXPECT_TRUE(client.got_reset());
  });
}

// ── refusals reach a client that is still sending ──

struct too_much {
  const char* name;
  std::string begins;
  std::string answer;
};

class http_refusal : public ::testing::TestWithParam<too_much> {};

TEST_P(http_refusal, reaches_a_client_that_is_still_sending) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {}, {.delay = 15ms, .jitter = 5ms}};
    auto client = all.connect();
    client.send(GetParam().begins);
    for (int i = 0; i < 40; ++i) {  // until it has read the answer, as some clients do
      client.send(std::string(30'000, 'x'));
      all.sim.advance(2ms);
    }
    all.sim.advance(10s);
    EXPECT_EQ(answered(client), GetParam().answer);
    EXPECT_TRUE(client.got_end());
    EXPECT_FALSE(client.got_reset());
    EXPECT_FALSE(client.is_open());
  });
}

INSTANTIATE_TEST_SUITE_P(
    , http_refusal,
    ::testing::Values(
        too_much{"length", post_of(2'000'000), "413 close (the body is too large)"},
        too_much{"expect", post_of(2'000'000, "Expect: 100-continue\r\n"),
                 "413 close (the body is too large)"},
        too_much{"chunk",
                 "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n",
                 "413 close (the body is too large)"},
        too_much{"header",
                 "GET / HTTP/1.1\r\nHost: a\r\nX: ", "431 close (the header fields are too large)"},
        too_much{"target", "GET /", "414 close (the request target is too long)"},
        too_much{"line_feed", "GET / HTTP/1.1\n",
                 "400 close (a line feed without carriage return)"},
        too_much{"two_lengths", post_of(2'000'000, "Content-Length: 1\r\n"),
                 "400 close (there is more than one Content-Length)"},
        too_much{"missing_route_in_spite_of_the_expectation",
                 "POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                 "Content-Length: 2000000\r\n\r\n",
                 "413 close (the body is too large)"}),
    [](const auto& of) { return std::string{of.param.name}; });

TEST(http_expectation, is_answered_at_once_and_a_body_that_comes_anyway_resets_nothing) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {}, {.delay = 15ms}};
    auto client = all.connect();
    client.send(
        "POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        "Content-Length: 600000\r\n\r\n");
    all.sim.advance(10ms);
    for (int i = 0; i < 20; ++i) {
      client.send(std::string(30'000, 'x'));
      all.sim.advance(2ms);
    }
    all.sim.advance(10s);
    EXPECT_EQ(answered(client), "404 close");
    EXPECT_TRUE(client.got_end());
    EXPECT_FALSE(client.got_reset());
    EXPECT_EQ(client.record().reason, close_reason::finished);
  });
}

TEST(http_expectation, is_met_and_the_body_read) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {}, {.delay = 15ms}};
    auto client = all.connect();
    client.send(post_of(5, "Expect: 100-continue\r\n"));
    all.sim.advance(40ms);
    EXPECT_EQ(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abcde" + get);
    all.sim.advance(1s);
    EXPECT_EQ(answered(client),
              "100, 200 [POST /echo Content-Length=5 Expect=100-continue {abcde}], 200 [OK]");
  });
}

TEST(http_refusal_of_a_header, larger_than_the_service_keeps_has_an_answer_too) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.limits = {.message = 100}}};
    auto header = all.connect(), trailers = all.connect(), pipelined = all.connect();
    header.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(200, 'x'));
    trailers.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " +
                  std::string(200, 'x'));
    pipelined.send(get + get + get + get + get + get);
    all.sim.advance(1s);
    EXPECT_EQ(answered(header), "431 close (more than this service keeps)");
    EXPECT_EQ(answered(trailers), "431 close (more than this service keeps)");
    EXPECT_EQ(read_answers(pipelined.received(), false).all.size(), 6U);
    EXPECT_TRUE(pipelined.is_open());
  });
}

// ── deadlines ──

TEST(http_deadlines, a_header_has_one_however_steadily_it_comes) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.read = 10s}}};
    auto client = all.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 30; ++i) {
      all.sim.advance(500ms);
      client.send("X: y\r\n");
    }
    EXPECT_EQ(answered(client), "408 close (the request took too long to come)");
    EXPECT_EQ(client.closed_after(), 10s);
    EXPECT_EQ(client.record().reason, close_reason::read_timeout);
    EXPECT_TRUE(client.record().lingered);
    EXPECT_FALSE(client.got_reset());
  });
}

TEST(http_deadlines, a_body_may_take_long_while_it_comes_at_the_minimum_rate) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.read = 10s}}};
    auto steady = all.connect(), slow = all.connect(), stops = all.connect();
    for (auto* each : {&steady, &slow, &stops}) each->send(post_of(60'000));
    for (int i = 0; i < 100; ++i) {
      steady.send(std::string(600, 'x'));
      slow.send(std::string(400, 'x'));
      if (i < 35) stops.send(std::string(600, 'x'));
      all.sim.advance(1s);
    }
    EXPECT_EQ(answered(steady), "200 [#60034]");
    EXPECT_TRUE(steady.is_open());
    EXPECT_EQ(answered(slow), "408 close (the request took too long to come)");
    EXPECT_LE(slow.closed_after(), 11s);
    EXPECT_EQ(answered(stops), "408 close (the request took too long to come)");
    EXPECT_LE(stops.closed_after(), 46s);
  });
}

TEST(http_deadlines, a_body_without_a_minimum_rate_has_one_deadline) {
  site all{1, {.deadlines = {.read = 10s}}, {}, {.body_rate = 0}};
  auto client = all.connect();
  client.send(post_of(60'000));
  for (int i = 0; i < 20; ++i) {
    client.send(std::string(2'000, 'x'));
    all.sim.advance(1s);
  }
  EXPECT_EQ(answered(client), "408 close (the request took too long to come)");
  EXPECT_EQ(client.closed_after(), 10s);
}

TEST(http_deadlines, a_trickle_of_chunk_extensions_is_no_body) {
  site all{1, {.deadlines = {.read = 10s}}};
  auto client = all.connect();
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  for (int i = 0; i < 60; ++i) {
    client.send(std::string(600, 'x'));
    all.sim.advance(1s);
  }
  EXPECT_EQ(answered(client), "400 close (the chunked body is malformed)");
}

TEST(http_deadlines, the_second_request_has_its_own) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.idle = 60s, .read = 10s}}};
    auto client = all.connect();
    client.send(get);
    all.sim.advance(30s);
    client.send("GET / HT");
    all.sim.advance(9s);
    client.send("TP/1.1\r\nHost: a\r\n\r\n" + get.substr(0, 5));
    all.sim.advance(9s);
    client.send(get.substr(5));
    all.sim.advance(1s);
    EXPECT_EQ(answered(client), "200 [OK], 200 [OK], 200 [OK]");
    all.sim.advance(2min);
    EXPECT_EQ(client.record().reason, close_reason::idle_timeout);
  });
}

TEST(http_deadlines, a_coroutine_that_takes_too_long_is_answered_for_and_runs_on) {
  with_seeds([](std::uint64_t seed) {
    int ended = 0;
    http::router routes;
    routes.get("/:name", [&ended](const http::request& what) -> dwell::task<http::response> {
      EXPECT_FALSE(co_await dwell::sleep_for(20s));
      EXPECT_EQ(what.param("name"), "a b");  // still there, though its connection is not
      EXPECT_EQ(what.header("x"), "y");
      EXPECT_EQ(what.body(), "body");
      EXPECT_FALSE(what.peer().is_open());
      ++ended;
      co_return http::response{.body = "too late"};
    });
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({.deadlines = {.handle = 5s}}, http::serve(std::move(routes)));
    auto client = sim.connect(server);
    client.send("GET /a%20b HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 4\r\n\r\nbody" + get);
    sim.advance(6s);
    EXPECT_EQ(answered(client), "503 close (the answer took too long)");
    EXPECT_EQ(client.closed_after(), 5s);
    EXPECT_EQ(client.record().reason, close_reason::handle_timeout);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

// ── a connection that ends under its handler ──

TEST(http_handler, outlives_its_connection) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.handle = 20s}}};
    std::vector<peer> clients;
    for (int i = 0; i < 6; ++i) {
      clients.push_back(all.connect());
      clients.back().send(get_of("/much-later") + get_of("/much-later"));
    }
    all.sim.advance(100ms);
    clients[0].reset();
    clients[1].close();
    clients[2].vanish();
    clients[3].shutdown_send();
    clients[4].stop_reading();
    all.server.each([&](dwell::connection& peer) {
      if (all.sim.now() == 100ms && peer.age() == 99ms) peer.close();
    });
    all.sim.advance(3min);
    EXPECT_EQ(clients[0].record().reason, close_reason::peer_reset);
    EXPECT_EQ(answered(clients[3]), "200 [nobody waits for this], 200 [nobody waits for this]");
    EXPECT_EQ(clients[3].record().reason, close_reason::peer_closed);
    EXPECT_EQ(all.server.counts().live, 0U);
    EXPECT_EQ(all.server.counts().waiting_for_frames, 0U);
  });
}

TEST(http_handler, is_destroyed_with_its_server) {
  with_seeds([](std::uint64_t seed) {
    site all{seed};
    auto client = all.connect();
    client.send(get_of("/much-later") + get);
    all.sim.advance(1s);
    EXPECT_EQ(all.server.counts().live, 1U);
  });
}

TEST(http_handler, may_close_and_what_it_answers_is_then_dropped) {
  with_seeds([](std::uint64_t seed) {
    http::router routes;
    routes.get("/plain", [](const http::request& what) {
      what.peer().close();
      return http::response{.body = "dropped"};
    });
    routes.get("/coroutine", [](const http::request& what) -> dwell::task<http::response> {
      what.peer().close();
      co_await dwell::sleep_for(1s);
      co_return http::response{.body = "dropped"};
    });
    routes.get("/stream", [](const http::request& what) {
      dwell::connection& peer = what.peer();
      return http::response{.stream = [&peer] {
        peer.close();
        return std::string(1'000, 'x');
      }};
    });
    simulation sim{{.seed = seed}};
    auto& server = sim.serve({}, http::serve(std::move(routes)));
    for (const auto* const target : {"/plain", "/coroutine", "/stream"}) {
      auto client = sim.connect(server);
      client.send(get_of(target) + get_of(target));
      sim.advance(2s);
      EXPECT_EQ(client.record().reason, close_reason::finished) << target;
    }
    EXPECT_EQ(server.counts().live, 0U);
    EXPECT_EQ(server.counts().waiting_for_frames, 0U);
  });
}

// ── the end is announced ──

TEST(http_drain, lets_the_idle_go_and_announces_the_end_to_the_busy) {
  with_seeds([](std::uint64_t seed) {
    site all{seed};
    auto idle = all.connect(), busy = all.connect(), half = all.connect(), slow = all.connect();
    idle.send(get);
    busy.send(get_of("/much-later") + get);
    half.send("GET / HTTP/1.1\r\n");
    slow.send(get_of("/bytes/900000") + get);
    slow.stop_reading();
    all.sim.advance(100ms);
    all.server.drain();
    all.sim.advance(50ms);
    EXPECT_EQ(idle.record().reason, close_reason::drain);
    half.send("Host: a\r\n\r\n");
    slow.start_reading();
    all.sim.advance(3s);
    EXPECT_EQ(answered(busy), "200 [nobody waits for this], 200 close [OK]");
    EXPECT_EQ(busy.record().reason, close_reason::drain);
    EXPECT_EQ(answered(half), "200 close [OK]");
    EXPECT_EQ(half.record().reason, close_reason::drain);
    EXPECT_EQ(read_answers(slow.received(), slow.got_end()).all.front().body.size(), 900'000U);
    EXPECT_FALSE(slow.is_open());
    EXPECT_EQ(all.server.counts().live, 0U);
  });
}

TEST(http_close, leaves_time_wait_with_a_peer_that_was_told) {
  with_seeds([](std::uint64_t seed) {
    for (const std::string target : {"/", "/later", "/stream/3/10", "/bytes/300000"}) {
      site all{seed,
               {.mode = dwell::connection_mode::short_lived,
                .close = {.finished = close_method::peer_first}}};
      auto probe = all.connect(), client = all.connect();
      probe.send(get_of(target));
      ASSERT_TRUE(all.sim.run_until(
          [&] {
            return read_answers(probe.received(), false).all.size() == 1 &&
                   read_answers(probe.received(), false).all[0].whole;
          },
          5s));
      client.close_after(probe.received().size());
      client.send(get_of(target));
      all.sim.advance(1s);
      EXPECT_EQ(client.record().done, close_method::peer_first) << target;
      EXPECT_EQ(client.record().time_wait, dwell::time_wait::there) << target;
      EXPECT_EQ(client.time_wait(), dwell::time_wait::there) << target;
    }
  });
}

// It learns of the end of the body by our FIN, and will not send its own before.
TEST(http_close, does_not_wait_for_a_peer_that_waits_for_the_end_of_the_body) {
  with_seeds([](std::uint64_t seed) {
    site all{seed,
             {.mode = dwell::connection_mode::short_lived,
              .close = {.finished = close_method::peer_first}}};
    auto client = all.connect();
    client.send("GET /stream/3/10 HTTP/1.0\r\n\r\n");
    all.sim.advance(1s);
    EXPECT_TRUE(client.got_end());
    EXPECT_EQ(client.record().done, close_method::graceful);
  });
}

TEST(http_close, of_a_lifetime_is_announced) {
  with_seeds([](std::uint64_t seed) {
    site all{seed, {.deadlines = {.lifetime = 10s}}};
    auto client = all.connect();
    client.send(get);
    all.sim.advance(9s);
    client.send(get_of("/much-later"));
    all.sim.advance(5s);
    EXPECT_EQ(answered(client), "200 [OK], 200 close [nobody waits for this]");
    EXPECT_EQ(client.record().reason, close_reason::lifetime);
  });
}

// ── fields of the server's own ──

TEST(http_fields, the_date_is_the_wall_clocks) {
  site all{2};
  auto client = all.connect();
  client.send(get);
  all.sim.advance(1h);
  auto later = all.connect();
  later.send(get);
  all.sim.advance(1ms);
  EXPECT_EQ(read_answers(client.received(), true).all.at(0).field("date"),
            "Sat, 01 Jan 2000 00:00:00 GMT");
  EXPECT_EQ(read_answers(later.received(), true).all.at(0).field("date"),
            "Sat, 01 Jan 2000 01:00:00 GMT");
}

TEST(http_fields, keep_alive_says_less_than_is_enforced) {
  for (const dwell::duration idle : {dwell::duration{500}, dwell::duration{2'000},
                                     dwell::duration{5'000}, dwell::duration{75'000}}) {
    site all{3, {.deadlines = {.idle = idle}}};
    auto client = all.connect();
    client.send(get);
    all.sim.advance(1ms);
    const auto read = read_answers(client.received(), false);
    const std::string field{read.all.at(0).field("keep-alive")};
    ASSERT_THAT(field, ::testing::StartsWith("timeout="));
    const dwell::duration said = std::chrono::seconds{std::stoi(field.substr(8))};
    EXPECT_LT(said, idle);
    EXPECT_GE(said + 1s + idle / 10 + 1s, idle);
    all.sim.advance(idle - 2ms);
    EXPECT_TRUE(client.is_open());
  }
  site all{3, {.deadlines = {.idle = dwell::off}}};
  auto client = all.connect();
  client.send(get);
  all.sim.advance(1ms);
  const auto read = read_answers(client.received(), false);
  EXPECT_EQ(read.all.at(0).field("keep-alive"), "");
  EXPECT_EQ(read.all.at(0).field("connection"), "");
}

}  // namespace
