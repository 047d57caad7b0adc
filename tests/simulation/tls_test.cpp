// TLS in virtual time: the same promises as without it, for clients of OpenSSL's own.
#include "scenario.hpp"
#include "tls_peer.hpp"

#include <gmock/gmock.h>

#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

namespace {

using dwell::connection;
using dwell::task;
using dwell::tls_facts;
using dwell::tls_options;

dwell::tls_certificate certificate_for(const std::string& name) {
  static std::map<std::string, dwell::tls_certificate> made;
  auto [found, fresh] = made.try_emplace(name);
  if (fresh) found->second = dwell::self_signed({name});
  return found->second;
}

dwell::service_options secured(dwell::deadlines deadlines = {}) {
  return {.deadlines = deadlines, .tls = tls_options{.certificate = certificate_for("localhost")}};
}

constexpr std::array versions{TLS1_2_VERSION, TLS1_3_VERSION};

TEST(tls, carries_what_is_sent_however_it_is_cut) {
  with_seeds([](std::uint64_t seed) {
    for (const int version : versions) {
      simulation sim{
          {.seed = seed, .faults = {.jitter = 3ms, .short_reads = 0.5, .short_writes = 0.5}}};
      auto& server = sim.serve(secured(), seed % 2 == 0 ? dwell::handler{echoing()} : echo);
      tls_peer client{sim, server, {.version = version}};
      const std::string sent = pattern(150'000);
      client.write(sent);
      ASSERT_TRUE(client.run_until([&] { return client.received().size() >= sent.size(); }, 20s));
      EXPECT_TRUE(client.received() == sent);
    }
  });
}

TEST(tls, tells_what_was_agreed) {
  simulation sim{{.seed = 1}};
  std::optional<tls_facts> told;
  dwell::service_options options = secured();
  options.tls->protocols = {"h2", "http/1.1"};
  options.tls->others = {certificate_for("other.example")};
  auto& server = sim.serve(std::move(options), [&](connection& peer) -> task<> {
    if (!told) told = *peer.tls();
    EXPECT_EQ(peer.phase(), dwell::phase::idle);
    co_await peer.read();
  });
  tls_peer client{sim, server, {.server_name = "other.example", .protocols = {"spdy", "http/1.1"}}};
  client.advance(10ms);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->server_name, "other.example");
  EXPECT_EQ(told->protocol, "http/1.1");
  EXPECT_EQ(told->version, "TLSv1.3");
  EXPECT_FALSE(told->resumed);
  EXPECT_EQ(told->peer, "");
  EXPECT_EQ(client.shown(), "other.example");
  tls_peer unnamed{sim, server, {.server_name = "unknown.example"}};
  unnamed.advance(10ms);
  EXPECT_EQ(unnamed.shown(), "localhost");
  tls_peer refused{sim, server, {.protocols = {"spdy"}}};
  refused.advance(10ms);
  EXPECT_TRUE(refused.got_alert());
}

TEST(tls, ends_a_handshake_at_its_deadline) {
  with_seeds([](std::uint64_t seed) {
    simulation sim{{.seed = seed}};
    std::optional<dwell::close_record> record;
    bool opened = false;
    dwell::service_options options = secured({.handshake = 7s});
    options.on_close = [&](const connection&, const dwell::close_record& what) { record = what; };
    auto& server = sim.serve(std::move(options), [&](connection&) -> task<> {
      opened = true;
      co_return;
    });
    auto silent = sim.connect(server);
    if (seed % 2 == 1) silent.send("\x16\x03\x01\x02");  // the beginning of a record
    sim.advance(6'999ms);
    EXPECT_TRUE(silent.is_open());
    sim.advance(10ms);
    EXPECT_TRUE(silent.got_end());
    ASSERT_TRUE(record);
    EXPECT_EQ(record->reason, close_reason::handshake_timeout);
    EXPECT_EQ(record->phase, dwell::phase::handshake);
    EXPECT_FALSE(opened);
  });
}

TEST(tls, refuses_what_is_not_tls) {
  simulation sim{{.seed = 1}};
  auto& server = sim.serve(secured(), echo);
  auto plain = sim.connect(server);
  plain.send("GET / HTTP/1.1\r\n\r\n");
  sim.advance(100ms);
  EXPECT_TRUE(plain.got_end());
  EXPECT_FALSE(plain.got_reset());
  EXPECT_EQ(plain.record().reason, close_reason::protocol_error);
}

TEST(tls, says_goodbye_before_our_fin) {
  with_seeds([](std::uint64_t seed) {
    for (const auto method : {close_method::graceful, close_method::abort_after_fin}) {
      simulation sim{{.seed = seed}};
      dwell::service_options options = secured({.idle = 60s});
      options.close.idle = method;
      auto& server = sim.serve(std::move(options), echo);
      tls_peer client{sim, server};
      client.advance(10ms);
      sim.advance(61s);
      client.pump();
      EXPECT_TRUE(client.got_close_notify());
      EXPECT_TRUE(client.socket().got_end());
      const dwell::close_record record = client.socket().record();
      EXPECT_EQ(record.reason, close_reason::idle_timeout);
      EXPECT_GE(client.socket().closed_after(), 60s);
      EXPECT_LE(client.socket().closed_after(), 60'010ms);  // from the last byte of the handshake
      EXPECT_EQ(record.reap_raced, 0U) << "its own goodbye is no request";
      EXPECT_EQ(client.socket().time_wait() == dwell::time_wait::here,
                method == close_method::graceful);
    }
  });
}

TEST(tls, a_part_of_a_record_is_a_message_that_does_not_come) {
  simulation sim{{.seed = 2}};
  auto& server = sim.serve(secured({.idle = 60s, .read = 5s}), echo);
  tls_peer client{sim, server};
  client.advance(10ms);
  client.socket().send("\x17\x03\x03\x01\x00half of it");
  client.advance(6s);
  EXPECT_EQ(client.socket().record().reason, close_reason::read_timeout);
}

TEST(tls, tells_truncation_from_the_end) {
  for (const bool says_goodbye : {false, true}) {
    simulation sim{{.seed = 3}};
    std::optional<bool> truncated;
    auto& server = sim.serve(secured(), [&](connection& peer) -> task<> {
      while (co_await peer.read()) {
      }
      truncated = peer.tls()->truncated;
      co_await peer.write("all of the answer");
    });
    tls_peer client{sim, server};
    client.write("request");
    client.advance(10ms);
    if (says_goodbye) client.send_close_notify();
    client.socket().shutdown_send();
    client.advance(1s);
    EXPECT_EQ(truncated, !says_goodbye);
    EXPECT_EQ(client.received(), "all of the answer");
    EXPECT_TRUE(client.got_close_notify());
  }
}

// Its last flight, data, and what ends it, in one receive.
TEST(tls, opens_before_what_spoils_it_is_told) {
  for (const bool by_coroutine : {true, false}) {
    simulation sim{{.seed = 4}};
    auto& server = sim.serve(secured(), by_coroutine ? dwell::handler{echo} : echoing());
    tls_peer client{sim, server};
    client.write("x");
    sim.advance(10ms);
    client.pump();
    client.socket().send(
        std::string_view{"\x17\x03\x03\x00\x05"
                         "abcde",
                         10});
    client.advance(1s);
    EXPECT_EQ(client.socket().record().reason, close_reason::protocol_error);
  }
}

TEST(tls, answers_who_only_says_goodbye) {
  simulation sim{{.seed = 4}};
  auto& server = sim.serve(secured(), [](connection& peer) -> task<> {
    while (co_await peer.read()) {
    }
    co_await peer.write("bye");
  });
  tls_peer client{sim, server};
  client.advance(10ms);
  client.send_close_notify();  // and no FIN
  client.advance(1s);
  EXPECT_EQ(client.received(), "bye");
  EXPECT_TRUE(client.socket().got_end());
}

TEST(tls, resumes_with_a_ticket_until_its_key_is_two_lifetimes_old) {
  for (const int version : versions) {
    simulation sim{{.seed = 5}};
    std::vector<bool> resumed;
    dwell::service_options options = secured({.idle = dwell::off});
    options.tls->ticket_key_lifetime = 1min;
    auto& server = sim.serve(std::move(options), [&](connection& peer) -> task<> {
      resumed.push_back(peer.tls()->resumed);
      co_await echo(peer);
    });
    tls_peer first{sim, server, {.version = version}};
    first.write("x");
    first.advance(50ms);
    ASSERT_EQ(first.received(), "x");
    SSL_SESSION* const session = first.session();
    for (int i = 0; i < 3; ++i) {
      tls_peer again{sim, server, {.version = version, .resumes = session}};
      again.advance(50ms);
      EXPECT_TRUE(again.is_open());
      sim.advance(i == 0 ? 70s : 2min);
    }
    SSL_SESSION_free(session);
    EXPECT_EQ(resumed, (std::vector<bool>{false, true, true, false})) << version;
  }
}

TEST(tls, refuses_to_renegotiate_and_bounds_key_updates) {
  simulation sim{{.seed = 6}};
  auto& server = sim.serve(secured(), echo);
  tls_peer old{sim, server, {.version = TLS1_2_VERSION}};
  old.advance(10ms);
  SSL_renegotiate(old.native());
  old.advance(1s);
  EXPECT_TRUE(old.got_alert() || old.socket().got_end() ||
              SSL_renegotiate_pending(old.native()) == 1);

  tls_peer client{sim, server};
  client.advance(10ms);
  for (int i = 0; i < 100 && client.socket().is_open(); ++i) {
    SSL_key_update(client.native(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(client.native());
    client.advance(1ms);
  }
  EXPECT_EQ(client.socket().record().reason, close_reason::protocol_error);
}

TEST(tls, speaks_every_suite_and_updates_keys_both_ways) {
  with_seeds([](std::uint64_t seed) {
    for (const char* const suite :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
      simulation sim{
          {.seed = seed, .faults = {.jitter = 3ms, .short_reads = 0.5, .short_writes = 0.5}}};
      auto& server = sim.serve(secured(), echo);
      tls_peer client{sim, server, {.suites = suite}};
      std::string sent;
      for (int i = 0; i < 6; ++i) {
        sent += pattern(20'000);
        client.write(pattern(20'000));
        ASSERT_TRUE(client.run_until([&] { return client.received().size() >= sent.size(); }, 20s))
            << suite << ", after " << i << " updates";
        SSL_key_update(client.native(),
                       i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
      }
      EXPECT_TRUE(client.received() == sent);
    }
  });
}

/// Counts the contexts that a service has made and OpenSSL has not freed yet.
struct living_contexts {
  static int& count() {
    static int now = 0;
    return now;
  }
  static void watch(SSL_CTX* context) {
    static const int index = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* watched, CRYPTO_EX_DATA*, int, long, void*) {
          if (watched != nullptr) --count();
        });
    SSL_CTX_set_ex_data(context, index, context);
    ++count();
  }
};

TEST(tls, an_open_connection_of_1_3_needs_nothing_of_openssls_unless_it_shall) {
  struct kind {
    int version;
    bool compact;
  };
  for (const auto& [version, compact] :
       {kind{TLS1_2_VERSION, true}, kind{TLS1_3_VERSION, true}, kind{TLS1_3_VERSION, false}}) {
    simulation sim{{.seed = 8}};
    dwell::service_options options = secured({.idle = dwell::off});
    options.tls->compact = compact;
    options.tls->configure = living_contexts::watch;
    auto& server = sim.serve(std::move(options), echo);
    tls_peer client{sim, server, {.version = version}};
    client.advance(10ms);
    ASSERT_TRUE(client.is_open());
    server.reload_certificates();
    EXPECT_EQ(living_contexts::count(), version == TLS1_3_VERSION && compact ? 1 : 2);
    client.write("still here");
    client.advance(10ms);
    EXPECT_EQ(client.received(), "still here");
  }
  EXPECT_EQ(living_contexts::count(), 0);
}

TEST(tls, who_wants_the_secrets_gets_them) {
  simulation sim{{.seed = 8}};
  static std::string lines;
  dwell::service_options options = secured();
  options.tls->configure = [](SSL_CTX* context) {
    SSL_CTX_set_keylog_callback(context, [](const SSL*, const char* line) { lines += line; });
  };
  auto& server = sim.serve(std::move(options), echo);
  tls_peer client{sim, server};
  client.write("x");
  client.advance(10ms);
  EXPECT_EQ(client.received(), "x");
  EXPECT_THAT(lines, ::testing::HasSubstr("SERVER_TRAFFIC_SECRET_0"));
}

TEST(tls, knows_a_client_by_its_certificate) {
  simulation sim{{.seed = 7}};
  std::string who;
  dwell::service_options options = secured();
  options.tls->clients = dwell::client_certificates::required;
  options.tls->client_authorities = certificate_for("alice").chain;
  auto& server = sim.serve(std::move(options), [&](connection& peer) -> task<> {
    who = peer.tls()->peer;
    co_await echo(peer);
  });
  tls_peer nobody{sim, server};
  nobody.advance(50ms);
  EXPECT_TRUE(nobody.got_alert());
  tls_peer stranger{sim, server, {.certificate = certificate_for("mallory")}};
  stranger.advance(50ms);
  EXPECT_TRUE(stranger.got_alert());
  EXPECT_EQ(who, "");
  tls_peer alice{sim, server, {.certificate = certificate_for("alice")}};
  alice.write("x");
  alice.advance(50ms);
  EXPECT_EQ(alice.received(), "x");
  EXPECT_EQ(who, "CN=alice");
}

TEST(tls, a_flood_of_handshakes_does_not_keep_others_waiting) {
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{{.seed = seed}};
        std::size_t opened = 0, opened_before_answer = 0;
        auto& server = sim.serve(
            secured(),
            dwell::callbacks<>{.on_open =
                                   [&](connection&, dwell::no_session&) {
                                     ++opened;
                                     return true;
                                   },
                               .on_data =
                                   [&](connection& peer, dwell::no_session&, dwell::bytes data) {
                                     opened_before_answer = opened;
                                     peer.send(data);
                                     return data.size();
                                   }});
        tls_peer client{sim, server};
        client.advance(10ms);
        constexpr std::size_t many = 40;
        std::vector<std::unique_ptr<tls_peer>> flood;
        for (std::size_t i = 0; i < many; ++i)
          flood.push_back(std::make_unique<tls_peer>(sim, server));
        sim.advance(5ms);
        sim.freeze(server, 20ms);                     // all of it comes at once
        for (const auto& each : flood) each->pump();  // their last flight
        client.write("x");
        client.advance(50ms);
        EXPECT_EQ(client.received(), "x");
        EXPECT_LT(opened_before_answer, many / 2);
        EXPECT_EQ(opened, many + 1);
      },
      6);
}

TEST(tls, what_comes_while_a_handshake_waits_stays_behind_what_came) {
  with_seeds(
      [](std::uint64_t seed) {
        simulation sim{{.seed = seed, .faults = {.jitter = 2ms, .short_reads = 0.7}}};
        auto& server = sim.serve(secured(), echo);
        std::vector<std::unique_ptr<tls_peer>> many;
        for (int i = 0; i < 30; ++i) many.push_back(std::make_unique<tls_peer>(sim, server));
        for (int i = 0; i < 200; ++i) {
          if (i % 10 == 0) sim.freeze(server, 5ms);  // then much of it comes at once
          sim.advance(1ms);
          for (const auto& each : many) each->pump();
        }
        for (const auto& each : many) EXPECT_TRUE(each->is_open()) << each->got_alert();
      },
      6);
}

TEST(tls, new_connections_get_new_certificates_and_bad_files_change_nothing) {
  simulation sim{{.seed = 9}};
  dwell::tls_certificate now = certificate_for("first");
  const std::string chain = ::testing::TempDir() + "chain.pem",
                    key = ::testing::TempDir() + "key.pem";
  const auto write = [&](const dwell::tls_certificate& what) {
    std::ofstream{chain} << what.chain;
    std::ofstream{key} << what.private_key;
  };
  write(now);
  auto& server = sim.serve({.tls = tls_options{.certificate = {chain, key}}}, echo);
  const auto shown = [&] {
    tls_peer client{sim, server};
    client.advance(20ms);
    EXPECT_TRUE(client.is_open());
    return client.shown();
  };
  EXPECT_EQ(shown(), "first");
  write(certificate_for("second"));
  EXPECT_EQ(shown(), "first");
  server.reload_certificates();
  EXPECT_EQ(shown(), "second");
  write({certificate_for("third").chain, certificate_for("second").private_key});
  EXPECT_THROW(server.reload_certificates(), std::invalid_argument);
  EXPECT_EQ(shown(), "second");
  EXPECT_EQ(server.counts().reloaded, 1U);
  EXPECT_EQ(server.counts().not_reloaded, 1U);
}

TEST(tls, counts_handshakes_by_how_they_ended) {
  for (const int version : versions) {
    simulation sim{{.seed = 11}};
    dwell::service_options options = secured();
    options.tls->protocols = {"h2"};
    auto& server = sim.serve(std::move(options), echo);
    tls_peer first{sim, server, {.version = version}};
    first.advance(20ms);
    SSL_SESSION* const kept = first.session();
    ASSERT_NE(kept, nullptr);
    tls_peer second{sim, server, {.version = version, .resumes = kept}};
    tls_peer third{sim, server, {.version = version, .protocols = {"spdy"}}};
    second.advance(20ms);
    third.advance(20ms);
    SSL_SESSION_free(kept);
    auto silent = sim.connect(server);
    sim.advance(1min);
    EXPECT_FALSE(silent.is_open());
    EXPECT_THAT(server.counts().handshakes, ::testing::ElementsAre(1U, 1U, 1U));
  }
}

TEST(tls, names_the_file_that_cannot_be_used) {
  simulation sim{{.seed = 10}};
  const auto complaint = [&](tls_options options) -> std::string {
    try {
      sim.serve({.tls = std::move(options)}, echo);
    } catch (const std::invalid_argument& wrong) {
      return wrong.what();
    }
    return "none";
  };
  const auto good = certificate_for("localhost");
  EXPECT_EQ(complaint({.certificate = {"/nowhere.crt", good.private_key}}),
            "tls.certificate.chain: \"/nowhere.crt\" cannot be read: no such file");
  EXPECT_EQ(complaint({}), "tls.certificate.chain: empty; use a PEM file");
  EXPECT_THAT(complaint({.certificate = {good.chain, certificate_for("other").private_key}}),
              ::testing::HasSubstr("is not the key of the certificate"));
  EXPECT_THAT(complaint({.certificate = good, .others = {{good.chain, "-----BEGIN nonsense"}}}),
              ::testing::HasSubstr("tls.others[0].private_key: its text has no private key"));
  EXPECT_EQ(complaint({.certificate = good, .ticket_key_lifetime = 10ms}),
            "tls.ticket_key_lifetime = 10 ms: use 1 s to 7 days, or dwell::off");
  EXPECT_THAT(complaint({.certificate = good, .protocols = {""}}),
              ::testing::HasSubstr("tls.protocols: \"\": use 1 to 255 bytes"));
  EXPECT_THAT(complaint({.certificate = good, .clients = dwell::client_certificates::required}),
              ::testing::HasSubstr("tls.client_authorities: empty"));
}

}  // namespace
