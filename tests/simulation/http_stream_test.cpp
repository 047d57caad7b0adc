// Bodies as they come and go: http::exchange.
#include <dwell/http.hpp>

#include "http_cases/answers.hpp"
#include "scenario.hpp"
#include "tls_peer.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

namespace {

using dwell::testing::read_answers;
namespace http = dwell::http;

std::string hex(std::size_t value) {
  std::string made;
  for (; value != 0; value /= 16) made += "0123456789abcdef"[value % 16];
  std::ranges::reverse(made);
  return made;
}

std::string in_chunks(std::string_view body, std::size_t size) {
  std::string made;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) {
    const auto chunk = body.substr(0, size);
    made.append(hex(chunk.size())).append("\r\n").append(chunk).append("\r\n");
  }
  return made + "0\r\n\r\n";
}

std::string post_of(const std::string& target, std::size_t length, const std::string& fields = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) +
         "\r\n" + fields + "\r\n";
}
std::string get_of(const std::string& target, const std::string& version = "1.1") {
  return "GET " + target + " HTTP/" + version + "\r\nHost: a\r\n\r\n";
}
std::string answered(const peer& by) {
  return to_string(read_answers(by.received(), by.got_end()));
}

/// What the handlers have seen.
struct seen {
  std::string body;
  bool complete = false;
  std::optional<close_reason> why;
  int ended = 0;
  std::uint64_t most_ahead = 0;  // bytes that had come and nobody had read
};

http::router routes(seen& all) {
  http::router made;
  made.post("/take", [&all](http::exchange& upload) -> dwell::task<http::response> {
    std::string body;
    while (auto part = co_await upload.read()) body += part.text();
    all.body = body;
    all.complete = upload.is_complete();
    all.why = upload.peer().reason();
    ++all.ended;
    co_return http::response{.body = std::to_string(body.size())};
  });
  made.post("/late", [&all](http::exchange& upload) -> dwell::task<http::response> {
    co_await dwell::sleep_for(100ms);
    std::uint64_t size = 0;
    while (auto part = co_await upload.read()) size += part.size();
    all.complete = upload.is_complete();
    co_return http::response{.body = std::to_string(size)};
  });
  made.post("/slowly", [&all](http::exchange& upload) -> dwell::task<http::response> {
    std::uint64_t size = 0;
    while (auto part = co_await upload.read()) {
      const std::string before{part.text()};
      size += part.size();
      all.most_ahead = std::max(all.most_ahead, upload.peer().received() - size);
      co_await dwell::sleep_for(10ms);
      EXPECT_EQ(before, part.text());  // valid until the next read()
    }
    all.complete = upload.is_complete();
    ++all.ended;
    co_return http::response{.body = std::to_string(size)};
  });
  made.post("/ignore", [](http::exchange&) -> dwell::task<http::response> {
    co_await dwell::sleep_for(100ms);
    co_return http::response{.status = http::status::forbidden, .body = "no"};
  });
  made.post("/back", [](http::exchange& both) -> dwell::task<> {
    while (auto part = co_await both.read()) co_await both.write(part);
  });
  made.get("/count/:pause/:many", [&all](http::exchange& count) -> dwell::task<> {
    const auto pause =
        std::chrono::milliseconds{std::stoi(std::string{count.request().param("pause")})};
    const int many = std::stoi(std::string{count.request().param("many")});
    for (int i = 0; i < many; ++i) {
      if (!co_await count.write(std::to_string(i) + ' ')) break;
      if (pause != 0ms) co_await dwell::sleep_for(pause);
    }
    all.why = count.peer().reason();
    ++all.ended;
  });
  made.get("/sized/:size/:written", [](http::exchange& sized) -> dwell::task<> {
    const auto size = std::stoul(std::string{sized.request().param("size")});
    sized.begin({.content_type = "text/x"}, size);
    co_await sized.write(pattern(std::stoul(std::string{sized.request().param("written")})));
  });
  made.get("/fails/:when", [](http::exchange& failing) -> dwell::task<> {
    if (failing.request().param("when") == "late") co_await failing.write("begun");
    if (failing.request().param("when") != "never") throw std::runtime_error{"on purpose"};
  });
  made.get("/bad", [](http::exchange& bad) -> dwell::task<> {
    EXPECT_FALSE(bad.begin({.headers = {{"Connection", "mine"}}}));
    co_return;
  });
  made.get("/long", [](http::exchange& long_one) -> dwell::task<> {
    const std::string piece = pattern(50'000);
    for (int i = 0; i < 40; ++i) {
      if (!co_await long_one.write(piece)) break;
    }
  });
  made.get("/", [](const http::request&) { return http::response{.body = "OK"}; });
  return made;
}

std::string pattern_of_long() {
  std::string made;
  for (int i = 0; i < 40; ++i) made += pattern(50'000);
  return made;
}

struct site {
  explicit site(std::uint64_t seed, dwell::service_options options = {},
                dwell::testing::faults faults = {}, http::options http_options = {})
      : sim{{.seed = seed, .faults = faults}},
        server{sim.serve(std::move(options), http::serve(routes(all), std::move(http_options)))} {}
  peer connect() { return sim.connect(server); }

  seen all;
  simulation sim;
  dwell::server& server;
};

// ── the body of a request ──

TEST(http_stream, takes_bodies_of_any_size_counted_and_chunked) {
  with_seeds([](std::uint64_t seed) {
    site here{seed, {}, {.short_reads = 0.3, .short_writes = 0.3}};
    auto client = here.connect();
    for (const std::size_t size : {1U, 5U, 4'096U, 70'000U, 3'000'000U}) {
      const std::string body = pattern(size);
      client.send(post_of("/take", size) + body);
      here.sim.advance(10s);
      EXPECT_EQ(here.all.body, body) << size;
      EXPECT_TRUE(here.all.complete);
      client.send("POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  in_chunks(body, 1 + size / 3));
      here.sim.advance(10s);
      EXPECT_EQ(here.all.body, body) << size;
      EXPECT_TRUE(here.all.complete);
    }
    EXPECT_EQ(here.all.ended, 10);
    EXPECT_TRUE(client.is_open());  // all on one connection
    client.send(post_of("/take", 3) + "abc" + get_of("/"));
    here.sim.advance(1s);
    EXPECT_THAT(answered(client), ::testing::EndsWith("200 [3], 200 [OK]"));
  });
}

TEST(http_stream, one_byte_at_a_time) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    const std::string request =
        "POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
        in_chunks(pattern(40), 7) + get_of("/");
    for (const char c : request) {
      client.send(std::string_view{&c, 1});
      here.sim.advance(1ms);
    }
    here.sim.advance(1s);
    EXPECT_EQ(here.all.body, pattern(40));
    EXPECT_EQ(answered(client), "200 [40], 200 [OK]");
  });
}

TEST(http_stream, a_handler_that_reads_slowly_slows_the_client_down) {
  with_seeds(
      [](std::uint64_t seed) {
        site here{seed};
        auto client = here.connect();
        const std::size_t size = 10'000'000;
        client.send(post_of("/slowly", size) + pattern(size));
        here.sim.advance(5min);
        EXPECT_EQ(answered(client), "200 [10000000]");
        EXPECT_LT(here.all.most_ahead, 3U * 65'536U);
      },
      4);
}

TEST(http_stream, asks_for_the_body_when_somebody_reads) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect(), refused = here.connect();
    client.send(post_of("/take", 3, "Expect: 100-continue\r\n"));
    refused.send(post_of("/ignore", 3, "Expect: 100-continue\r\n"));
    here.sim.advance(1s);
    EXPECT_EQ(client.take_received(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(answered(refused), "403 close [no]");
    client.send("abc");
    here.sim.advance(1s);
    EXPECT_EQ(answered(client), "200 [3]");
  });
}

TEST(http_stream, an_answer_before_the_body_was_read_arrives_and_ends_the_connection) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    client.send(post_of("/ignore", 1'000'000) + pattern(1'000'000));
    here.sim.advance(10s);
    EXPECT_EQ(answered(client), "403 close [no]");
    EXPECT_FALSE(client.got_reset());
    EXPECT_FALSE(client.is_open());
  });
}

TEST(http_stream, bodies_are_limited_apart_from_those_that_wait_in_memory) {
  with_seeds([](std::uint64_t seed) {
    site here{seed, {}, {}, {.body = 10, .streamed_body = 1'000}};
    auto fits = here.connect(), counted = here.connect(), chunked = here.connect();
    fits.send(post_of("/take", 1'000) + pattern(1'000));
    counted.send(post_of("/take", 1'001));
    chunked.send("POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                 in_chunks(pattern(1'001), 500));
    here.sim.advance(20s);
    EXPECT_EQ(answered(fits), "200 [1000]");
    EXPECT_THAT(answered(counted), ::testing::StartsWith("413 close"));
    EXPECT_THAT(answered(chunked), ::testing::StartsWith("413 close"));
    EXPECT_EQ(here.all.ended, 2);  // the one that was cut has ended, too
  });
}

TEST(http_stream, malformed_chunks_are_refused_in_the_middle) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    client.send("POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    here.sim.advance(1s);
    client.send("nonsense\r\n");
    here.sim.advance(20s);
    EXPECT_THAT(answered(client), ::testing::StartsWith("400 close"));
    EXPECT_EQ(here.all.body, "abc");
    EXPECT_FALSE(here.all.complete);
    EXPECT_EQ(here.all.why, close_reason::protocol_error);
  });
}

TEST(http_stream, a_body_that_the_client_cuts_is_not_complete) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    client.send(post_of("/take", 10) + "abc");
    here.sim.advance(1s);
    client.shutdown_send();
    here.sim.advance(1s);
    EXPECT_EQ(here.all.body, "abc");
    EXPECT_FALSE(here.all.complete);
    EXPECT_EQ(here.all.why, close_reason::peer_closed);
    here.sim.advance(20s);
    EXPECT_FALSE(client.is_open());
  });
}

TEST(http_stream, what_came_before_the_fin_is_read_also_late) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    client.send(post_of("/slowly", 300'000) + pattern(300'000));
    client.shutdown_send();
    here.sim.advance(20s);
    EXPECT_TRUE(here.all.complete);
    EXPECT_EQ(answered(client), "200 [300000]");
  });
}

TEST(http_stream, a_body_that_comes_too_slowly_is_cut_whatever_its_handler_does) {
  with_seeds([](std::uint64_t seed) {
    for (const std::string target : {"/take", "/slowly"}) {
      site here{seed, {.deadlines = {.read = 10s}}};
      auto client = here.connect();
      client.send(post_of(target, 1'000));
      for (int i = 0; i < 10 && client.is_open(); ++i) {
        client.send("x");
        here.sim.advance(4s);
      }
      here.sim.advance(6s);
      EXPECT_THAT(answered(client), ::testing::StartsWith("408 close")) << target;
      ASSERT_FALSE(client.is_open());
      EXPECT_EQ(client.record().reason, close_reason::read_timeout);
      EXPECT_LT(*client.closed_after(), 27s);
      EXPECT_FALSE(here.all.complete);
      EXPECT_EQ(here.all.ended, 1);
    }
  });
}

TEST(http_stream, a_body_that_keeps_its_pace_may_take_for_ever) {
  with_seeds(
      [](std::uint64_t seed) {
        site here{seed, {.deadlines = {.read = 10s}}};
        auto client = here.connect();
        client.send(post_of("/slowly", 300'000));
        for (int i = 0; i < 300; ++i) {
          client.send(pattern(1'000));
          here.sim.advance(1s);
        }
        here.sim.advance(1s);
        EXPECT_EQ(answered(client), "200 [300000]");
      },
      4);
}

// ── the answer ──

TEST(http_stream, an_answer_of_unknown_size) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto modern = here.connect(), old = here.connect(), head = here.connect();
    modern.send(get_of("/count/1000/3") + get_of("/"));
    old.send(get_of("/count/0/3", "1.0"));
    head.send("HEAD /count/1000/3 HTTP/1.1\r\nHost: a\r\n\r\n");
    here.sim.advance(1s);
    EXPECT_THAT(std::string{modern.received()}, ::testing::HasSubstr("\r\n0 \r\n"));  // at once
    here.sim.advance(10s);
    EXPECT_EQ(answered(modern), "200 chunked [0 1 2 ], 200 [OK]");
    EXPECT_TRUE(modern.is_open());
    EXPECT_EQ(answered(old), "200 close [0 1 2 ]");
    EXPECT_TRUE(old.got_end());
    EXPECT_FALSE(old.got_reset());
    EXPECT_EQ(std::string{head.received()}.find("0 1"), std::string::npos);
    EXPECT_TRUE(head.is_open());
    EXPECT_EQ(here.all.ended, 3);
  });
}

TEST(http_stream, an_answer_of_known_size_has_to_keep_to_it) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto right = here.connect(), less = here.connect(), more = here.connect();
    right.send(get_of("/sized/5000/5000"));
    less.send(get_of("/sized/5000/4000"));
    more.send(get_of("/sized/5000/6000"));
    here.sim.advance(1s);
    EXPECT_EQ(read_answers(right.received(), false).all.at(0).body, pattern(5'000));
    EXPECT_TRUE(right.is_open());
    for (const auto& cut : {less, more}) {
      EXPECT_TRUE(cut.got_reset());
      EXPECT_EQ(cut.record().reason, close_reason::handler_failed);
    }
  });
}

TEST(http_stream, what_a_handler_throws_is_a_500_or_a_reset_but_never_a_whole_answer) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto early = here.connect(), late = here.connect(), never = here.connect(),
         bad = here.connect();
    early.send(get_of("/fails/early"));
    late.send(get_of("/fails/late"));
    never.send(get_of("/fails/never"));
    bad.send(get_of("/bad"));
    here.sim.advance(1s);
    for (const auto& each : {early, never, bad}) {
      EXPECT_THAT(answered(each), ::testing::StartsWith("500"));
      EXPECT_TRUE(each.is_open());
    }
    EXPECT_TRUE(late.got_reset());
    EXPECT_EQ(late.record().reason, close_reason::handler_failed);
  });
}

TEST(http_stream, both_ways_at_once) {
  with_seeds([](std::uint64_t seed) {
    site here{seed, {}, {.short_reads = 0.3, .short_writes = 0.3}};
    auto client = here.connect();
    client.send(post_of("/back", 2'000'000) + pattern(2'000'000));
    here.sim.advance(20s);
    const auto all = read_answers(client.received(), client.got_end()).all;
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].whole);
    EXPECT_EQ(all[0].body, pattern(2'000'000));
    EXPECT_FALSE(client.got_reset());
  });
}

// ── how long ──

TEST(http_stream, the_handle_deadline_bounds_the_time_between_two_writes) {
  with_seeds([](std::uint64_t seed) {
    site here{seed, {.deadlines = {.handle = 30s}}};
    auto steady = here.connect(), stuck = here.connect();
    steady.send(get_of("/count/25000/20"));
    stuck.send(get_of("/count/31000/20"));
    here.sim.advance(10min);
    EXPECT_TRUE(read_answers(steady.received(), false).all.at(0).whole);
    EXPECT_TRUE(steady.is_open() || steady.record().reason == close_reason::idle_timeout);
    ASSERT_FALSE(stuck.is_open());
    EXPECT_EQ(stuck.record().reason, close_reason::handle_timeout);
    EXPECT_EQ(stuck.closed_after(), 30s);
    EXPECT_TRUE(stuck.got_reset());
  });
}

TEST(http_stream, a_download_that_advances_is_never_reaped_and_one_that_stalls_is) {
  with_seeds([](std::uint64_t seed) {
    site here{seed, {.deadlines = {.idle = 5s, .handle = 5s, .write = 10s}}};
    auto slow = here.connect(), stalled = here.connect();
    slow.send(get_of("/long"));
    stalled.send(get_of("/long"));
    stalled.stop_reading();
    for (int i = 0; i < 60 && slow.is_open(); ++i) {
      slow.stop_reading();
      here.sim.advance(4s);
      slow.start_reading();
      here.sim.advance(1ms);
      if (read_answers(slow.received(), false).all.at(0).whole) break;
    }
    EXPECT_EQ(read_answers(slow.received(), false).all.at(0).body, pattern_of_long());
    here.sim.advance(20s);
    ASSERT_FALSE(stalled.is_open());
    EXPECT_EQ(stalled.record().reason, close_reason::write_timeout);
    EXPECT_GE(*stalled.closed_after(), 10s);
    EXPECT_LT(*stalled.closed_after(), 13s);
  });
}

TEST(http_stream, a_handler_that_waits_hears_of_the_end) {
  with_seeds([](std::uint64_t seed) {
    site here{seed};
    auto client = here.connect();
    client.send(post_of("/take", 10) + "abc");
    here.sim.advance(1s);
    client.reset();
    here.sim.advance(1s);
    EXPECT_EQ(here.all.why, close_reason::peer_reset);
    EXPECT_EQ(here.all.ended, 1);
  });
}

// ── over TLS ──

struct secure_site : site {
  explicit secure_site(std::uint64_t seed)
      : site{seed,
             {.tls = dwell::tls_options{.certificate = certificate()}},
             {.short_reads = 0.3, .short_writes = 0.3}} {}
  static const dwell::tls_certificate& certificate() {
    static const dwell::tls_certificate made = dwell::self_signed();
    return made;
  }
};

TEST(http_stream, over_tls_it_is_the_same) {
  with_seeds([](std::uint64_t seed) {
    secure_site here{seed};
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      tls_peer client{here.sim, here.server, {.version = version}};
      const std::string body = pattern(400'000);
      client.write(post_of("/take", body.size()) + body + get_of("/count/0/3"));
      const std::string end = "\r\n2 \r\n0\r\n\r\n";
      EXPECT_TRUE(client.run_until([&] { return client.received().ends_with(end); }, 20s));
      EXPECT_EQ(here.all.body, body);
    }
  });
}

TEST(http_stream, over_tls_what_came_with_the_end_is_read_also_late) {
  with_seeds([](std::uint64_t seed) {
    secure_site here{seed};
    tls_peer client{here.sim, here.server};
    client.advance(10ms);
    client.write("POST /late HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                 in_chunks(pattern(1'000), 100));
    client.send_close_notify();
    EXPECT_TRUE(client.run_until([&] { return client.received().ends_with("1000"); }, 20s));
    EXPECT_TRUE(here.all.complete);
  });
}

// ── another protocol ──

const std::string upgrade =
    "GET /shout HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: a/1, "
    "Shout\r\n\r\n";

http::router shouting(seen& all) {
  http::router made;
  made.get("/shout", [&all](http::exchange& shout) -> dwell::task<> {
    if (!shout.upgrade("shout")) co_return shout.respond({.status = http::status::bad_request});
    shout.on_deadline([&shout, &all](close_reason why) {
      all.why = why;
      shout.send("bye");
    });
    while (auto part = co_await shout.read()) {
      std::string loud{part.text()};
      std::ranges::transform(loud, loud.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      });
      if (loud == "WAIT") co_await dwell::sleep_for(10s);
      if (loud == "PART") shout.peer().message_started();
      if (loud == "END") break;
      if (!co_await shout.write(loud)) break;
    }
    all.complete = shout.peer().is_open();
    ++all.ended;
  });
  return made;
}

struct shouted {
  explicit shouted(std::uint64_t seed, dwell::service_options options = {})
      : sim{{.seed = seed}}, server{sim.serve(std::move(options), http::serve(shouting(all)))} {}
  seen all;
  simulation sim;
  dwell::server& server;
};

bool ends(std::string_view text, std::string_view end) { return text.ends_with(end); }

TEST(http_upgrade, the_connection_speaks_another_protocol) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed};
    auto client = here.sim.connect(here.server), other = here.sim.connect(here.server);
    client.send(upgrade + "at once");
    other.send(get_of("/shout"));
    here.sim.advance(1s);
    EXPECT_EQ(client.take_received(),
              "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n"
              "AT ONCE");
    EXPECT_THAT(answered(other), ::testing::StartsWith("400"));
    client.send("hello");
    here.sim.advance(1s);
    EXPECT_EQ(client.take_received(), "HELLO");
    client.send("end");
    here.sim.advance(20s);
    EXPECT_FALSE(client.got_reset());
    EXPECT_EQ(client.record().reason, close_reason::finished);
    EXPECT_EQ(client.record().exchanges, 1U);
  });
}

TEST(http_upgrade, not_before_the_body_of_its_request_was_read) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed};
    auto client = here.sim.connect(here.server);
    client.send(
        "GET /shout HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n"
        "Content-Length: 3\r\n\r\nabc");
    here.sim.advance(1s);
    EXPECT_THAT(answered(client), ::testing::StartsWith("400"));
  });
}

TEST(http_upgrade, it_is_idle_while_it_waits_and_has_the_last_word) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed, {.deadlines = {.idle = 5s, .read = 2s, .handle = 3s}}};
    auto idle = here.sim.connect(here.server), part = here.sim.connect(here.server),
         busy = here.sim.connect(here.server);
    for (const auto& each : {&idle, &part, &busy}) each->send(upgrade);
    here.sim.advance(4s);
    idle.send("x");
    part.send("part");
    busy.send("wait");
    here.sim.advance(30s);
    EXPECT_EQ(idle.record().reason, close_reason::idle_timeout);
    EXPECT_GE(*idle.closed_after(), 9s);
    EXPECT_TRUE(ends(idle.received(), "Xbye")) << idle.received();
    EXPECT_FALSE(idle.got_reset());
    EXPECT_EQ(idle.record().reap_raced, 0U);
    EXPECT_EQ(part.record().reason, close_reason::read_timeout);
    EXPECT_TRUE(ends(part.received(), "PARTbye"));
    EXPECT_EQ(busy.record().reason, close_reason::handle_timeout);
    EXPECT_TRUE(ends(busy.received(), "bye"));
    EXPECT_EQ(here.all.ended, 3);
    EXPECT_FALSE(here.all.complete);
  });
}

TEST(http_upgrade, the_handler_hears_of_the_end_when_it_is_decided) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed, {.deadlines = {.idle = 5s, .close = 5s}}};
    auto client = here.sim.connect(here.server);
    client.stay_at_end();  // our FIN is not answered
    client.send(upgrade);
    here.sim.advance(6s);
    EXPECT_EQ(here.all.ended, 1);
    EXPECT_TRUE(client.is_open());
    client.send("farewell");  // the answer to our last words, no request that crossed our FIN
    here.sim.advance(6s);
    ASSERT_FALSE(client.is_open());
    EXPECT_EQ(client.record().reap_raced, 0U);
  });
}

TEST(http_upgrade, drain_and_lifetime_end_it_with_the_last_word) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed, {.deadlines = {.idle = dwell::off, .lifetime = 1min}}};
    auto old = here.sim.connect(here.server);
    old.send(upgrade);
    here.sim.advance(55s);
    auto young = here.sim.connect(here.server);
    young.send(upgrade);
    here.sim.advance(15s);
    EXPECT_TRUE(ends(old.received(), "\r\n\r\nbye"));
    EXPECT_EQ(here.all.why, close_reason::lifetime);
    here.server.drain();
    here.sim.advance(10s);
    EXPECT_TRUE(ends(young.received(), "\r\n\r\nbye"));
    EXPECT_EQ(here.all.why, close_reason::drain);
    EXPECT_EQ(here.all.ended, 2);
  });
}

TEST(http_upgrade, the_peers_end_is_read_after_its_last_bytes) {
  with_seeds([](std::uint64_t seed) {
    shouted here{seed};
    auto client = here.sim.connect(here.server);
    client.send(upgrade);
    client.send("last words");
    client.shutdown_send();
    here.sim.advance(10s);
    EXPECT_TRUE(ends(client.received(), "LAST WORDS"));
    EXPECT_EQ(client.record().reason, close_reason::peer_closed);
    EXPECT_TRUE(here.all.complete);
  });
}

}  // namespace
