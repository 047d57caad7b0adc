// Where TIME_WAIT is in the end, asked of the kernel on both sides, for replies of every size.

#include <dwell/dwell.hpp>

#include "support/close_log.hpp"
#include "support/each_wire.hpp"
#include "support/raw_client.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <netinet/tcp.h>
#include <string>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t rounds = 50;
constexpr std::size_t most = rounds - rounds / 50;  // 98 %
constexpr std::size_t hardly_any = rounds / 50;     // 2 %
constexpr std::size_t mss = 1448;                   // Ethernet, timestamps

enum class form { direct, lingering };

struct cell {
  close_method method;
  form how;
  std::size_t reply;
  wire over;

  bool is_whole_segments() const { return over == wire::plain && reply % mss == 0; }
};

std::string to_string(const cell& c) {
  return std::string{to_string(c.method)} +
         (c.how == form::direct ? ", direct, " : ", lingering, ") + std::to_string(c.reply) + " B";
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i % 3);
  return text;
}

struct outcome {
  std::size_t on_server = 0;
  std::size_t on_client = 0;
  std::vector<close_record> records;

  std::size_t recorded(time_wait where) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        records, [&](const close_record& r) { return r.time_wait == where; }));
  }
};

/// The reply and the end in one exchange; an unread byte asks for the lingering form.
callbacks<> replies(const std::string& reply, form how) {
  return {.on_data =
              [&reply, how](connection& peer, no_session&, bytes data) {
                peer.announced_close();
                peer.send(reply);
                return how == form::direct ? data.size() : data.size() - 1;
              },
          .announces_close = true};
}

/// Over TLS, as OpenSSL's clients do. Without it nothing has to be said.
void take_leave(raw_client& client) {
  if (client.tls() == nullptr) return;
  EXPECT_EQ(client.receive_some(), "");
  EXPECT_TRUE(client.tls()->got_close_notify());
  client.say_goodbye();
}

/// Knows the length, and so races with our FIN if that comes apart from the last bytes.
void ask_once(const running_server& server, const std::string& reply) {
  raw_client client = server.connect();
  client.send("get?");
  EXPECT_TRUE(client.receive(reply.size()) == reply) << "other bytes than those sent";
  take_leave(client);
}

outcome measure(const two_networks& networks, const cell& c) {
  const std::string reply = pattern(c.reply);
  running_server server{over(c.over, {.listen = {two_networks::server_address},
                                      .mode = connection_mode::short_lived,
                                      .close = {.finished = c.method}}),
                        replies(reply, c.how)};
  networks.on_client_side([&] {
    for (std::size_t i = 0; i < rounds; ++i) ask_once(server, reply);
  });
  EXPECT_TRUE(server.records().wait_for(rounds));
  const auto seen = networks.settled(server.where().port);
  outcome result{.on_server = seen.server[TCP_TIME_WAIT],
                 .on_client = seen.client[TCP_TIME_WAIT],
                 .records = server.records().all()};
  std::printf("  %-70s server %zu client %zu of %zu\n", to_string(c).c_str(), result.on_server,
              result.on_client, rounds);
  EXPECT_EQ(result.records.size(), rounds);
  return result;
}

template <class Check>
void for_each_size(wire over, close_method method, form how, Check&& check) {
  in_two_networks([&](two_networks& networks) {
    for (const std::size_t reply : {std::size_t{100}, std::size_t{1'000}, std::size_t{10'000},
                                    std::size_t{200'000}, mss, 7 * mss}) {
      const cell c{method, how, reply, over};
      SCOPED_TRACE(to_string(c));
      check(c, measure(networks, c));
    }
  });
}

/// A record may err only where the two ends closed at the same moment.
void expect_records_agree(const cell& c, const outcome& result) {
  const auto is_near = [](std::size_t recorded, std::size_t counted) {
    return std::max(recorded, counted) - std::min(recorded, counted) <= hardly_any;
  };
  for (const close_record& record : result.records) {
    EXPECT_EQ(record.reason, close_reason::finished);
    EXPECT_EQ(record.planned, c.method);
    EXPECT_EQ(record.done, c.method);
    EXPECT_GE(record.sent, c.reply);
    if (c.over == wire::plain) {
      EXPECT_EQ(record.sent, c.reply);
    }
    if (c.how == form::lingering) {
      EXPECT_TRUE(record.lingered);
    }
  }
  const auto observed_here = static_cast<std::size_t>(
      std::ranges::count_if(result.records, [](const close_record& record) {
        return record.time_wait == time_wait::here && record.certainty == certainty::observed;
      }));
  EXPECT_LE(observed_here, result.on_server) << "observed what was not so";
  if (c.is_whole_segments()) return;  // FIN apart from the last bytes: likely, not certain
  EXPECT_PRED2(is_near, result.recorded(time_wait::here), result.on_server);
  EXPECT_PRED2(is_near, result.recorded(time_wait::there), result.on_client);
}

// The rest of what decides where TIME_WAIT goes, the peer's doing, is in
// tests/kernel/matrix_test.cpp.

class placement : public each_wire {};
INSTANTIATE_TEST_SUITE_P(over, placement, both_wires(), name_of);

void graceful_is_here(wire over, form how) {
  for_each_size(over, close_method::graceful, how, [](const cell& c, const outcome& result) {
    if (!c.is_whole_segments()) {
      EXPECT_GE(result.on_server, most);
    }
    EXPECT_GE(result.on_server + result.on_client, rounds);
    expect_records_agree(c, result);
  });
}

TEST_P(placement, graceful_is_on_the_server) { graceful_is_here(GetParam(), form::direct); }

TEST_P(placement, graceful_with_unread_input_is_on_the_server) {
  graceful_is_here(GetParam(), form::lingering);
}

TEST_P(placement, peer_first_is_on_the_client) {
  for_each_size(GetParam(), close_method::peer_first, form::direct,
                [](const cell& c, const outcome& result) {
                  EXPECT_EQ(result.on_server, 0U);
                  EXPECT_EQ(result.on_client, rounds);
                  expect_records_agree(c, result);
                });
}

TEST_P(placement, abort_after_fin_is_nowhere) {
  for_each_size(GetParam(), close_method::abort_after_fin, form::direct,
                [](const cell& c, const outcome& result) {
                  if (!c.is_whole_segments()) {
                    EXPECT_LE(result.on_server + result.on_client, hardly_any);
                  }
                  expect_records_agree(c, result);
                });
}

TEST_P(placement, peer_first_without_an_announcement_is_graceful) {
  in_two_networks([](two_networks& networks) {
    const callbacks<> silent{.on_data = [](connection& peer, no_session&, bytes data) {
      peer.send("bye");
      return data.size();
    }};
    running_server server{over_it({.listen = {two_networks::server_address},
                                   .mode = connection_mode::short_lived,
                                   .close = {.finished = close_method::peer_first}}),
                          silent};
    networks.on_client_side([&] {
      raw_client client = server.connect();
      client.send("get?");
      EXPECT_EQ(client.receive_to_end().data, "bye");
    });
    const close_record record = server.records().only();
    EXPECT_EQ(record.planned, close_method::peer_first);
    EXPECT_EQ(record.done, close_method::graceful);
    EXPECT_EQ(record.time_wait, time_wait::here);
    EXPECT_EQ(networks.settled(server.where().port).server[TCP_TIME_WAIT], 1U);
  });
}

// A byte that reaches an orphan makes the kernel drop what is unacknowledged, so neither may let go
// early.
TEST_P(placement, bytes_sent_while_a_megabyte_is_in_flight_cost_nothing) {
  in_two_networks([](two_networks& networks) {
    const std::string reply = pattern(1'000'000);
    for (const close_method method : {close_method::graceful, close_method::abort_after_fin}) {
      SCOPED_TRACE(to_string(method));
      running_server server{over_it({.listen = {two_networks::server_address},
                                     .mode = connection_mode::short_lived,
                                     .close = {.finished = method}}),
                            replies(reply, form::direct)};
      networks.on_client_side([&] {
        raw_client client = server.connect({.receive_buffer = 64 * 1024});
        client.send("get?");
        EXPECT_TRUE(reply.starts_with(client.receive(1'000)));
        client.send("more!");
        const auto rest = client.receive_to_end();
        EXPECT_EQ(rest.error, 0);
        EXPECT_EQ(rest.data.size(), reply.size() - 1'000);
        EXPECT_TRUE(reply.ends_with(rest.data)) << "other bytes than those sent";
      });
      const close_record record = server.records().only();
      EXPECT_EQ(record.unread, 5U);
      EXPECT_EQ(record.unsent, 0U);
    }
  });
}

// What is unread at close() turns a FIN into a reset: in TLS 1.3 the tickets, which no client waits
// for.
TEST(placement_over_tls, a_client_that_leaves_its_tickets_unread_resets) {
  in_two_networks([](two_networks& networks) {
    running_server server{over(wire::tls, {.listen = {two_networks::server_address}}),
                          callbacks<>{}};
    networks.on_client_side([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        raw_client client = server.connect();
        client.say_goodbye();
        EXPECT_TRUE(client.hears_something());  // the tickets
      }
    });
    ASSERT_TRUE(server.records().wait_for(rounds));
    const auto seen = networks.settled(server.where().port);
    EXPECT_EQ(seen.server[TCP_TIME_WAIT], 0U);
    EXPECT_EQ(seen.client[TCP_TIME_WAIT], 0U);
    for (const close_record& record : server.records().all()) {
      EXPECT_EQ(record.time_wait, time_wait::nowhere) << to_string(record.reason);
    }
  });
}

TEST_P(placement, the_client_that_closes_first_keeps_it) {
  in_two_networks([](two_networks& networks) {
    const callbacks<> echo{.on_data = [](connection& peer, no_session&, bytes data) {
      peer.send(data);
      return data.size();
    }};
    running_server server{over_it({.listen = {two_networks::server_address}}), echo};
    networks.on_client_side([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        raw_client client = server.connect();
        client.send("bye");
        EXPECT_EQ(client.receive(3), "bye");  // and the tickets before it
        client.say_goodbye();
      }
    });
    ASSERT_TRUE(server.records().wait_for(rounds));
    const auto seen = networks.settled(server.where().port);
    EXPECT_EQ(seen.server[TCP_TIME_WAIT], 0U);
    EXPECT_EQ(seen.client[TCP_TIME_WAIT], rounds);
    for (const close_record& record : server.records().all()) {
      EXPECT_EQ(record.reason, close_reason::peer_closed);
      EXPECT_EQ(record.first, first_closer::peer);
      EXPECT_EQ(record.time_wait, time_wait::there);
    }
  });
}

// What the listener hands down must not decide for a connection that asks for another method.
TEST_P(placement, a_method_asked_for_by_the_handler_counts_more_than_the_plan) {
  in_two_networks([](two_networks& networks) {
    constexpr auto nowhere = close_method::abort_after_fin;
    for (const close_method asked : {close_method::graceful, nowhere, close_method::abort}) {
      for (const close_method planned : {close_method::graceful, nowhere}) {
        SCOPED_TRACE(std::string{to_string(asked)} + " instead of " +
                     std::string{to_string(planned)});
        const callbacks<> leaves{.on_data = [asked](connection& peer, no_session&, bytes data) {
          peer.send("bye");
          peer.close(close_reason::finished, asked);
          return data.size();
        }};
        running_server server{over_it({.listen = {two_networks::server_address},
                                       .close = {.finished = planned,
                                                 .idle = planned,
                                                 .slow = planned,
                                                 .drain = planned}}),
                              leaves};
        networks.on_client_side([&] {
          raw_client client = server.connect();
          client.send("get?");
          static_cast<void>(client.receive_to_end());
        });
        const close_record record = server.records().only();
        const std::size_t here = asked == close_method::graceful ? 1 : 0;
        const auto seen = networks.settled(server.where().port);
        EXPECT_EQ(seen.server[TCP_TIME_WAIT], here);
        EXPECT_EQ(seen.client[TCP_TIME_WAIT], 0U);
        EXPECT_EQ(record.time_wait, here == 1 ? time_wait::here : time_wait::nowhere);
        EXPECT_EQ(record.planned, asked);
      }
    }
  });
}

// Nothing was known of the end when the connection was accepted: the last bytes and the FIN share a
// segment all the same.
TEST_P(placement, of_a_long_connection_that_the_handler_ends_is_on_the_server) {
  in_two_networks([](two_networks& networks) {
    for (const std::size_t size : {std::size_t{100}, std::size_t{1'000}, std::size_t{10'000}}) {
      SCOPED_TRACE(std::to_string(size) + " B");
      const std::string reply = pattern(size);
      const callbacks<> ends{.on_data = [&reply](connection& peer, no_session&, bytes data) {
        peer.send(reply);
        if (data.text().ends_with('!')) peer.close();
        return data.size();
      }};
      running_server server{over_it({.listen = {two_networks::server_address}}), ends};
      networks.on_client_side([&] {
        for (std::size_t i = 0; i < rounds; ++i) {
          raw_client client = server.connect();
          for (const char* const request : {"get?", "get!"}) {
            if (i % 2 == 0 && request == std::string{"get?"}) continue;  // the first is the last
            client.send(request);
            EXPECT_TRUE(client.receive(size) == reply) << "other bytes than those sent";
          }
          take_leave(client);
        }
      });
      ASSERT_TRUE(server.records().wait_for(rounds));
      const auto seen = networks.settled(server.where().port);
      EXPECT_GE(seen.server[TCP_TIME_WAIT], most);
      EXPECT_LE(seen.client[TCP_TIME_WAIT], hardly_any);
    }
  });
}

TEST_P(placement, of_a_reaped_connection_is_as_planned) {
  in_two_networks([](two_networks& networks) {
    for (const close_method method :
         {close_method::graceful, close_method::abort_after_fin, close_method::abort}) {
      SCOPED_TRACE(to_string(method));
      running_server server{over_it({.listen = {two_networks::server_address},
                                     .deadlines = {.idle = 100ms},
                                     .close = {.idle = method}}),
                            callbacks<>{}};
      networks.on_client_side([&] {
        std::vector<raw_client> clients;
        for (std::size_t i = 0; i < rounds; ++i) clients.push_back(server.connect());
        for (raw_client& each : clients) {
          EXPECT_EQ(each.receive_to_end().error, method == close_method::abort ? ECONNRESET : 0);
        }
      });
      ASSERT_TRUE(server.records().wait_for(rounds));
      const bool here = method == close_method::graceful;
      const auto seen = networks.settled(server.where().port);
      EXPECT_EQ(seen.client[TCP_TIME_WAIT], 0U);
      // A client so quick that its FIN is there at the second look leaves it here, whatever was
      // planned.
      // The other way round, segments that two cores deliver in another order make the client's
      // kernel send a reset, and that ends a TIME_WAIT (net.ipv4.tcp_rfc1337 = 0).
      if (here) {
        EXPECT_GE(seen.server[TCP_TIME_WAIT], rounds - rounds / 10);
      } else {
        EXPECT_LE(seen.server[TCP_TIME_WAIT], hardly_any);
      }
      std::size_t recorded_here = 0;
      for (const close_record& record : server.records().all()) {
        EXPECT_EQ(record.reason, close_reason::idle_timeout);
        EXPECT_EQ(record.first, first_closer::here);
        if (record.time_wait == time_wait::here) ++recorded_here;
      }
      if (here) {
        EXPECT_EQ(recorded_here, rounds);
      } else {
        EXPECT_EQ(recorded_here, seen.server[TCP_TIME_WAIT]);
      }
    }
  });
}

}  // namespace
}  // namespace dwell
