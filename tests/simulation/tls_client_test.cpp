// TLS on connections that we make, to servers of our own, in virtual time.
#include "scenario.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace {

using dwell::connect_error;
using dwell::connect_failure;
using dwell::connection;
using dwell::task;
using dwell::tls_client;
using dwell::tls_facts;
using dwell::tls_options;

const dwell::tls_certificate& shown() {
  static const dwell::tls_certificate made = dwell::self_signed({"example.org", "10.0.0.2"});
  return made;
}

dwell::service_options secured() {
  return {.deadlines = {.idle = dwell::off}, .tls = tls_options{.certificate = shown()}};
}

/// What one connection of a client came to.
struct outcome {
  bool connected = false;
  connect_error error;
  std::string echoed;
  std::optional<tls_facts> agreed;  // its text lives as long as the connection, but for the version
  std::string protocol;
  dwell::duration took{0};
  dwell::server_counts counts;
};

/// Connects, has something echoed, and lets go.
outcome try_out(simulation& sim, dwell::connect_options to, dwell::duration within = 1s,
                const std::string& text = "hello") {
  outcome seen;
  const auto began = sim.now();
  auto& client = sim.start_client();
  client.spawn([&]() -> task<> {
    auto there = co_await dwell::connect(to);
    seen.took = sim.now() - began;
    seen.connected = static_cast<bool>(there);
    seen.error = there.error();
    if (!there) co_return;
    seen.agreed = *there->tls();
    seen.protocol = seen.agreed->protocol;
    co_await there->write(text);
    while (seen.echoed.size() < text.size()) {
      auto data = co_await there->read();
      if (!data) break;
      seen.echoed += data.text();
    }
  });
  sim.advance(within);
  seen.counts = client.counts();
  return seen;
}

struct ends {
  explicit ends(simulation& sim, dwell::service_options options = secured(),
                dwell::handler what = echo)
      : behind{sim.serve(std::move(options), std::move(what))}, port{sim.where(behind).port} {}
  dwell::server& behind;
  std::uint16_t port;
};

TEST(tls_client, speaks_with_a_server_that_it_trusts) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{
        {.seed = seed, .faults = {.jitter = 3ms, .short_reads = 0.5, .short_writes = 0.5}}};
    ends both{sim};
    tls_client secure{{.authorities = shown().chain, .server_name = "example.org"}};
    const std::string much = pattern(100'000);
    const outcome seen =
        try_out(sim, {.host = "10.0.0.2", .port = both.port, .tls = &secure}, 20s, much);
    EXPECT_TRUE(seen.connected) << to_string(seen.error);
    EXPECT_TRUE(seen.echoed == much);
    ASSERT_TRUE(seen.agreed);
    EXPECT_EQ(seen.agreed->version, "TLSv1.3");
    EXPECT_EQ(seen.agreed->peer, "CN=example.org");
    EXPECT_EQ(seen.counts.connected, 1U);
    EXPECT_EQ(seen.counts.live, 0U);
  });
}

TEST(tls_client, an_address_is_a_name_too) {
  simulation sim{{.seed = 1}};
  ends both{sim};
  tls_client secure{{.authorities = shown().chain}};
  const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &secure};
  const outcome seen = try_out(sim, to);
  EXPECT_EQ(seen.error.what, connect_failure::none) << to_string(seen.error);
}

TEST(tls_client, trusts_nobody_else) {
  simulation sim{{.seed = 2}};
  ends both{sim};
  const auto why = [&](dwell::tls_client_options options) {
    tls_client secure{std::move(options)};
    const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &secure};
    return try_out(sim, to).error;
  };
  connect_error error = why({.server_name = "example.org"});
  EXPECT_EQ(error.what, connect_failure::not_trusted);
  EXPECT_THAT(to_string(error), ::testing::HasSubstr("self-signed certificate"));
  error = why({.authorities = shown().chain, .server_name = "other.example"});
  EXPECT_EQ(error.what, connect_failure::not_trusted);
  EXPECT_THAT(to_string(error), ::testing::HasSubstr("hostname mismatch"));
  EXPECT_EQ(why({.verify = false}).what, connect_failure::none);
}

TEST(tls_client, resumes_the_last_session) {
  simulation sim{{.seed = 3}};
  ends both{sim};
  tls_client secure{{.authorities = shown().chain}},
      apart{{.authorities = shown().chain, .resume = false}};
  const auto resumed = [&](tls_client& with) {
    const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &with};
    const outcome seen = try_out(sim, to);
    return seen.agreed && seen.agreed->resumed;
  };
  EXPECT_FALSE(resumed(secure));
  EXPECT_TRUE(resumed(secure));
  EXPECT_TRUE(resumed(secure));
  EXPECT_FALSE(resumed(apart));
  EXPECT_FALSE(resumed(apart));
}

TEST(tls_client, shows_who_it_is_and_agrees_on_a_protocol) {
  simulation sim{{.seed = 4}};
  const dwell::tls_certificate alice = dwell::self_signed({"alice"});
  dwell::service_options options = secured();
  options.tls->protocols = {"dwell", "echo"};
  options.tls->clients = dwell::client_certificates::required;
  options.tls->client_authorities = alice.chain;
  std::string who;
  ends both{sim, std::move(options), [&](connection& peer) -> task<> {
              who = peer.tls()->peer;
              co_await echo(peer);
            }};
  tls_client secure{
      {.authorities = shown().chain, .protocols = {"echo", "http/1.1"}, .certificate = alice}};
  const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &secure};
  const outcome seen = try_out(sim, to);
  ASSERT_TRUE(seen.agreed) << to_string(seen.error);
  EXPECT_EQ(seen.protocol, "echo");
  EXPECT_EQ(who, "CN=alice");
}

TEST(tls_client, a_server_that_says_nothing_is_given_up_at_the_handshake_deadline) {
  simulation sim{{.seed = 5}};
  ends both{sim, {.deadlines = {.idle = dwell::off}}, [](connection& peer) -> task<> {
              while (co_await peer.read()) {
              }
            }};
  tls_client secure;
  const outcome seen = try_out(
      sim, {.host = "10.0.0.2", .port = both.port, .tls = &secure, .deadlines = {.handshake = 3s}},
      20s);
  EXPECT_EQ(seen.error.what, connect_failure::handshake_failed);
  EXPECT_EQ(seen.error.detail, "not done within deadlines.handshake");
  EXPECT_GE(seen.took, 3s);
  EXPECT_LE(seen.took, 3'100ms);
  EXPECT_EQ(both.behind.counts().live, 0U);
}

TEST(tls_client, a_server_without_tls_is_told_apart) {
  simulation sim{{.seed = 6}};
  ends both{sim, {}, [](connection& peer) -> task<> { co_await peer.write("220 hello\r\n"); }};
  tls_client secure;
  const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &secure};
  const outcome seen = try_out(sim, to, 20s);
  EXPECT_EQ(seen.error.what, connect_failure::handshake_failed);
  EXPECT_EQ(seen.error.detail, "wrong version number");
}

TEST(tls_client, who_no_longer_waits_leaves_nothing_behind) {
  int in_handshake = 0;
  for (int when = 5; when < 200; when += 5) {
    simulation sim{{.seed = 7, .faults = {.delay = 20ms}}};
    ends both{sim};
    tls_client secure{{.authorities = shown().chain}};
    std::optional<connect_failure> what;
    const dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &secure};
    const dwell::service_options impatient{.deadlines = {.handle = dwell::duration{when}}};
    auto& asking = sim.serve(impatient, [&](connection& peer) -> task<> {
      if (!co_await peer.read()) co_return;
      auto there = co_await dwell::connect(to);
      what = there.error().what;
    });
    auto peer = sim.connect(asking);
    peer.send("?");
    sim.advance(20s);
    EXPECT_EQ(asking.counts().live, 0U) << when;
    EXPECT_EQ(asking.counts().waiting_for_frames, 0U) << when;
    EXPECT_EQ(both.behind.counts().live, 0U) << when;
    if (what == connect_failure::ended && both.behind.counts().opened != 0) ++in_handshake;
  }
  EXPECT_GT(in_handshake, 2);
}

TEST(tls_client, callbacks_begin_after_the_handshake) {
  simulation sim{{.seed = 7}};
  ends both{sim};
  tls_client trusting{{.authorities = shown().chain}}, strict;
  int opened = 0, failed = 0;
  std::string echoed;
  const dwell::callbacks<> calls{.on_open =
                                     [&](connection& peer, dwell::no_session&) {
                                       EXPECT_NE(peer.tls(), nullptr);
                                       ++opened;
                                       peer.send("x");
                                       return true;
                                     },
                                 .on_data =
                                     [&](connection& peer, dwell::no_session&, dwell::bytes data) {
                                       echoed += data.text();
                                       peer.close();
                                       return data.size();
                                     }};
  const auto on_failed = [&](dwell::no_session&, const connect_error& why) {
    EXPECT_EQ(why.what, connect_failure::not_trusted);
    ++failed;
  };
  using told = dwell::callback<void(dwell::no_session&, const connect_error&)>;
  dwell::connect_options to{.host = "10.0.0.2", .port = both.port, .tls = &trusting};
  const dwell::upstream<> good{to, calls, told{on_failed}};
  to.tls = &strict;
  const dwell::upstream<> bad{to, calls, told{on_failed}};
  sim.start_client().spawn([&]() -> task<> {
    for (int i = 0; i < 10; ++i) {
      good.connect();
      bad.connect();
    }
    co_await dwell::sleep_for(10ms);
  });
  sim.advance(5s);
  EXPECT_EQ(opened, 10);
  EXPECT_EQ(failed, 10);
  EXPECT_EQ(echoed, "xxxxxxxxxx");
  EXPECT_EQ(both.behind.counts().live, 0U);
}

TEST(tls_client, names_what_cannot_be_used) {
  const auto complaint = [](dwell::tls_client_options options) -> std::string {
    try {
      tls_client made{std::move(options)};
    } catch (const std::invalid_argument& wrong) {
      return wrong.what();
    }
    return "none";
  };
  EXPECT_EQ(complaint({.authorities = "/nowhere.pem"}),
            "tls_client.authorities: \"/nowhere.pem\" cannot be read: no such file");
  EXPECT_EQ(complaint({.protocols = {""}}), "tls_client.protocols: \"\": use 1 to 255 bytes");
  EXPECT_EQ(complaint({.certificate = {.private_key = shown().private_key}}),
            "tls_client.certificate.chain: empty; use a PEM file");
}

}  // namespace
