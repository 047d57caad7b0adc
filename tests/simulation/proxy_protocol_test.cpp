// PROXY protocol in virtual time: who has to say whom it speaks for, and what comes of it.
#include "scenario.hpp"
#include "tls_peer.hpp"

#include <gmock/gmock.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::string_literals;
using dwell::connection;
using dwell::proxy_header_result;
using dwell::task;

const std::string line = "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n";
const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string binary =
    signature + "\x21\x11\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\xdc\x04\x01\xbb"s;
const std::string binary_v6 = signature + "\x21\x21\0\x24"s +
                              "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"s +
                              "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s + "\xdc\x04\x01\xbb"s;
const std::string binary_unix = signature + "\x21\x31\0\xd8"s + std::string(216, 'p');
const std::string local = signature + "\x20\0\0\0"s;

/// Simulated clients come from 10.0.0.0/8.
dwell::service_options behind_proxy(dwell::deadlines deadlines = {}) {
  return {.deadlines = deadlines,
          .proxy_protocol = dwell::proxy_protocol_options{.from = {"10.0.0.0/8"}, .deadline = 3s}};
}

std::uint64_t counted(const dwell::server& server, proxy_header_result what) {
  return server.counts().proxy_headers[static_cast<std::size_t>(what)];
}

/// Says first whom it takes the peer for.
task<> greet(connection& peer) {
  co_await peer.write(to_string(peer.peer_endpoint()) + ' ');
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

dwell::callbacks<> greeting() {
  return {.on_open =
              [](connection& peer, dwell::no_session&) {
                const std::string who = to_string(peer.peer_endpoint()) + ' ';
                peer.send(who);
                return true;
              },
          .on_data =
              [](connection& peer, dwell::no_session&, dwell::bytes data) {
                peer.send(data);
                return data.size();
              }};
}

struct header_case {
  std::string sent;
  std::string client;
};

std::vector<header_case> good_headers() {
  return {{line, "203.0.113.7:56324 "},
          {binary, "203.0.113.7:56324 "},
          {binary_v6, "[2001:db8::7]:56324 "},
          {binary_unix, "unix: "}};
}

TEST(proxy_protocol, makes_the_client_the_peer) {
  with_seeds([](std::uint64_t seed) {
    for (const auto& [sent, client] : good_headers()) {
      simulation sim{{.seed = seed, .faults = {.jitter = 3ms, .short_reads = 0.3}}};
      const dwell::handler served = seed % 4 < 2 ? dwell::handler{greeting()} : greet;
      auto& server = sim.serve(behind_proxy(), served);
      auto proxy = sim.connect(server);
      proxy.send(sent + "hello");
      sim.advance(500ms);
      EXPECT_EQ(proxy.received(), client + "hello");
      proxy.send(" again");
      sim.advance(500ms);
      EXPECT_EQ(proxy.received(), client + "hello again");
      EXPECT_EQ(counted(server, proxy_header_result::client), 1);
      EXPECT_EQ(server.counts().received, sent.size() + 11);
    }
  });
}

TEST(proxy_protocol, keeps_the_address_of_the_proxy) {
  simulation sim{{.seed = 1}};
  std::vector<std::optional<dwell::endpoint>> seen;
  auto options = behind_proxy();
  options.on_close = [&](const connection& peer, const dwell::close_record&) {
    seen.push_back(peer.proxy_endpoint());
    EXPECT_EQ(to_string(peer.peer_endpoint()), "203.0.113.7:56324");
  };
  auto& server = sim.serve(std::move(options), [&](connection& peer) -> task<> {
    seen.push_back(peer.proxy_endpoint());
    co_await peer.read();
  });
  auto proxy = sim.connect(server);
  proxy.send(line + "x");
  sim.advance(1s);
  ASSERT_EQ(seen.size(), 2);
  ASSERT_TRUE(seen[0] && seen[1]);
  EXPECT_THAT(to_string(*seen[0]), ::testing::StartsWith("10."));
  EXPECT_EQ(*seen[0], *seen[1]);
}

TEST(proxy_protocol, leaves_the_proxy_its_own_address_when_it_names_nobody) {
  const std::vector<std::string> headers{local, "PROXY UNKNOWN\r\n", signature + "\x21\0\0\0"s,
                                         signature + "\x20\x11\0\x0c"s + std::string(12, 'x')};
  for (const std::string& sent : headers) {
    simulation sim{{.seed = 2}};
    auto& server = sim.serve(behind_proxy(), [](connection& peer) -> task<> {
      EXPECT_FALSE(peer.proxy_endpoint());
      co_await greet(peer);
    });
    auto proxy = sim.connect(server);
    proxy.send(sent + "check");
    sim.advance(1s);
    EXPECT_THAT(std::string{proxy.received()},
                ::testing::AllOf(::testing::StartsWith("10."), ::testing::EndsWith(" check")));
    EXPECT_EQ(counted(server, proxy_header_result::own), 1);
  }
}

/// However it is cut, and whether data comes with it or not.
TEST(proxy_protocol, may_come_in_any_two_pieces) {
  for (const auto& [sent, client] : good_headers()) {
    const std::string all = sent + "data";
    simulation sim{{.seed = 3}};
    auto& server = sim.serve(behind_proxy(), greeting());
    std::vector<peer> proxies;
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      proxies.push_back(sim.connect(server));
      proxies.back().send(std::string_view{all}.substr(0, cut));
    }
    sim.advance(1s);
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      proxies[cut].send(std::string_view{all}.substr(cut));
    }
    sim.advance(1s);
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      EXPECT_EQ(proxies[cut].received(), client + "data") << cut;
    }
  }
}

TEST(proxy_protocol, may_come_byte_by_byte) {
  for (const auto& [sent, client] : good_headers()) {
    simulation sim{{.seed = 4}};
    auto& server = sim.serve(behind_proxy(), greet);
    auto proxy = sim.connect(server);
    for (const char each : sent + "data") {
      proxy.send(std::string_view{&each, 1});
      sim.advance(5ms);
    }
    sim.advance(1s);
    EXPECT_EQ(proxy.received(), client + "data");
  }
}

TEST(proxy_protocol, has_to_come) {
  for (const std::string& sent :
       {"GET / HTTP/1.1\r\n\r\n"s, "\x16\x03\x01"s, signature + "\x31"s,
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\nhello"s, "PROXY " + std::string(101, 'x'),
        signature + "\x21\x11\x10\0"s}) {
    simulation sim{{.seed = 5}};
    bool opened = false;
    auto& server = sim.serve(behind_proxy(), [&](connection&) -> task<> {
      opened = true;
      co_return;
    });
    auto proxy = sim.connect(server);
    proxy.send(sent);
    sim.advance(1s);
    EXPECT_FALSE(opened);
    ASSERT_FALSE(proxy.is_open());
    EXPECT_EQ(proxy.record().reason, close_reason::protocol_error);
    EXPECT_EQ(proxy.record().phase, dwell::phase::handshake);
    EXPECT_EQ(proxy.record().time_wait, proxy.time_wait());
    EXPECT_TRUE(proxy.got_end());
    EXPECT_EQ(proxy.received(), "");
    EXPECT_EQ(counted(server, proxy_header_result::malformed), 1);
  }
}

TEST(proxy_protocol, has_a_deadline_of_its_own) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    auto& server = sim.serve(behind_proxy({.handshake = 8s, .idle = 20s}), greet);
    auto silent = sim.connect(server), slow = sim.connect(server), good = sim.connect(server);
    good.send(line);
    slow.send(line.substr(0, 5));
    sim.advance(2900ms);
    slow.send(line.substr(5, 5));
    sim.advance(20s);
    for (const peer& late : {silent, slow}) {
      ASSERT_FALSE(late.is_open());
      EXPECT_EQ(late.closed_after(), 3s);
      EXPECT_EQ(late.record().reason, close_reason::handshake_timeout);
      EXPECT_EQ(late.record().phase, dwell::phase::handshake);
    }
    EXPECT_EQ(good.closed_after(), 20s);
    EXPECT_EQ(good.record().reason, close_reason::idle_timeout);
    EXPECT_EQ(counted(server, proxy_header_result::malformed), 0);
  });
}

TEST(proxy_protocol, idle_begins_with_the_header) {
  simulation sim{{.seed = 6}};
  auto& server = sim.serve(behind_proxy({.idle = 10s}), echo);
  auto proxy = sim.connect(server);
  sim.advance(2s);
  proxy.send(line);
  sim.advance(20s);
  EXPECT_EQ(proxy.closed_after(), 12s);
}

TEST(proxy_protocol, refuses_who_is_no_proxy_and_reads_nothing) {
  simulation sim{{.seed = 7}};
  auto options = behind_proxy();
  options.proxy_protocol->from = {"192.0.2.1", "fd00::/8", "unix:"};
  auto& server = sim.serve(std::move(options), greet);
  auto stranger = sim.connect(server);
  stranger.send(line + "hello");
  sim.advance(1s);
  EXPECT_TRUE(stranger.got_reset());
  EXPECT_EQ(stranger.received(), "");
  const auto counts = server.counts();
  EXPECT_EQ(counts.refused, 1);
  EXPECT_EQ(counts.opened, 0);
  EXPECT_EQ(counts.received, 0);
  EXPECT_EQ(counted(server, proxy_header_result::untrusted), 1);
}

/// Whoever is refused takes nobody's place.
TEST(proxy_protocol, who_is_refused_evicts_nobody) {
  simulation sim{{.seed = 8}};
  auto& server = sim.serve({}, echo, {.connections = 1});
  auto options = behind_proxy();
  options.proxy_protocol->from = {"192.0.2.1"};
  const auto other = sim.serve(server, std::move(options), echo);
  auto idle = sim.connect(server);
  sim.advance(1s);
  for (int i = 0; i < 5; ++i) {
    auto stranger = sim.connect(other);
    sim.advance(1s);
    EXPECT_TRUE(stranger.got_reset());
  }
  EXPECT_TRUE(idle.is_open());
  EXPECT_EQ(server.counts().refused, 5);
  EXPECT_EQ(server.counts().evicted, 0);
  idle.close();
  sim.advance(1s);
  auto next = sim.connect(server);
  next.send("x");
  sim.advance(1s);
  EXPECT_EQ(next.received(), "x");
}

TEST(proxy_protocol, who_leaves_before_its_header_has_only_left) {
  simulation sim{{.seed = 9}};
  auto& server = sim.serve(behind_proxy(), greet);
  auto check = sim.connect(server), half = sim.connect(server);
  check.close();
  half.send(line.substr(0, 20));
  half.shutdown_send();
  sim.advance(1s);
  EXPECT_EQ(check.record().reason, close_reason::peer_closed);
  EXPECT_EQ(half.record().reason, close_reason::peer_closed);
  EXPECT_EQ(counted(server, proxy_header_result::malformed), 0);
}

TEST(proxy_protocol, precedes_tls) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed, .faults = {.jitter = 2ms, .short_reads = 0.2}}};
    auto options = behind_proxy({.handshake = 4s});
    static const auto certificate = dwell::self_signed({"localhost"});
    options.tls = dwell::tls_options{.certificate = certificate};
    auto& server =
        sim.serve(std::move(options), seed % 2 == 0 ? dwell::handler{greeting()} : greet);
    tls_peer client{sim, server, {.first = seed % 4 < 2 ? line : binary_v6}};
    client.write("hello");
    client.advance(1s);
    EXPECT_EQ(client.received(),
              seed % 4 < 2 ? "203.0.113.7:56324 hello" : "[2001:db8::7]:56324 hello");

    sim.set_faults({});
    auto silent = sim.connect(server);  // behind its header
    sim.advance(2s);
    silent.send(line);
    sim.advance(10s);
    EXPECT_EQ(silent.closed_after(), 6s);
    EXPECT_EQ(silent.record().reason, close_reason::handshake_timeout);

    auto plain = sim.connect(server);
    plain.send(line + "this is no TLS");
    sim.advance(6s);
    EXPECT_EQ(plain.record().reason, close_reason::protocol_error);
    EXPECT_EQ(server.counts().handshakes[static_cast<std::size_t>(dwell::handshake_result::failed)],
              1);
  });
}

/// What comes with the header waits like any other input.
TEST(proxy_protocol, on_open_may_pause) {
  simulation sim{{.seed = 10}};
  const dwell::callbacks<> calls{.on_open =
                                     [](connection& peer, dwell::no_session&) {
                                       peer.pause();
                                       peer.after(2s, [](connection& that) { that.resume(); });
                                       return true;
                                     },
                                 .on_data =
                                     [](connection& peer, dwell::no_session&, dwell::bytes data) {
                                       peer.send(data);
                                       return data.size();
                                     }};
  auto& server = sim.serve(behind_proxy(), calls);
  auto proxy = sim.connect(server);
  proxy.send(line + "hello");
  sim.advance(1s);
  EXPECT_EQ(proxy.received(), "");
  proxy.send(" world");
  sim.advance(2s);
  EXPECT_EQ(proxy.received(), "hello world");
}

TEST(proxy_protocol, on_open_may_refuse) {
  simulation sim{{.seed = 11}};
  auto& server = sim.serve(behind_proxy(),
                           dwell::callbacks<>{.on_open = [](connection&, auto&) { return false; }});
  auto proxy = sim.connect(server);
  proxy.send(line + "hello");
  sim.advance(1s);
  EXPECT_EQ(proxy.record().reason, close_reason::overload);
}

TEST(proxy_protocol, drains_who_waits_for_its_header) {
  simulation sim{{.seed = 12}};
  auto& server = sim.serve(behind_proxy(), greet);
  auto waits = sim.connect(server), served = sim.connect(server);
  served.send(line);
  sim.advance(1s);
  server.drain();
  sim.advance(1s);
  EXPECT_FALSE(served.is_open());
  sim.advance(10s);
  EXPECT_FALSE(waits.is_open());
  EXPECT_EQ(server.stage(), dwell::server_stage::ended);
}

TEST(proxy_protocol, options_are_checked) {
  const auto refusal = [](dwell::proxy_protocol_options options) -> std::string {
    simulation sim;
    try {
      sim.serve({.proxy_protocol = std::move(options)}, echo);
    } catch (const std::invalid_argument& refused) {
      return refused.what();
    }
    return {};
  };
  EXPECT_THAT(refusal({}), ::testing::HasSubstr("proxy_protocol.from"));
  EXPECT_THAT(refusal({.from = {"10.0.0.0/33"}}), ::testing::HasSubstr("10.0.0.0/33"));
  EXPECT_THAT(refusal({.from = {"::1"}, .deadline = 0ms}),
              ::testing::HasSubstr("proxy_protocol.deadline"));
  EXPECT_EQ(refusal({.from = {"::1", "10.0.0.0/8"}, .deadline = dwell::off}), "");
}

}  // namespace
