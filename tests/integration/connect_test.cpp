// Outbound connections on the kernel: what connect(2) says, source addresses, ports that run out,
// and clients without a server.
#include <dwell/asio.hpp>
#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/running_server.hpp"
#include "support/two_networks.hpp"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <netinet/tcp.h>
#include <set>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

task<> echo(connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

client_options quiet_client(client_options options = {}) {
  options.logger = quiet_logger();
  return options;
}

/// What one attempt gives, on a client of its own.
connect_error try_once(const connect_options& to, client_options options = {}) {
  connect_error seen;
  client one{quiet_client(std::move(options))};
  one.spawn([&]() -> task<> {
    auto there = co_await connect(to);
    seen = there.error();
  });
  EXPECT_EQ(one.run(), 0);
  EXPECT_EQ(one.counts().live, 0U);
  EXPECT_EQ(one.counts().waiting_for_frames, 0U);
  return seen;
}

TEST(connect, asks_and_gets_an_answer) {
  running_server server{on_loopback(), echo};
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    SCOPED_TRACE(host);
    std::string got;
    client one{quiet_client()};
    one.spawn([&]() -> task<> {
      auto there = co_await connect({.host = host, .port = server.where().port});
      if (!there) co_return;
      co_await there->write("ping");
      const auto answer = co_await there->read();
      got = answer.text();
    });
    EXPECT_EQ(one.run(), 0);
    EXPECT_EQ(got, "ping");
    EXPECT_EQ(one.counts().connected, 1U);
  }
}

TEST(connect, knows_a_refusal_a_name_and_a_source_that_are_not) {
  const running_server gone_soon{on_loopback(), echo};
  EXPECT_EQ(try_once({.host = "127.0.0.1", .port = 9}).what, connect_failure::refused);
  EXPECT_EQ(try_once({.host = "::1", .port = 9}).what, connect_failure::refused);
  EXPECT_EQ(try_once({.host = "name.invalid", .port = 9}).what, connect_failure::name_not_found);
  EXPECT_EQ(try_once({.host = "127.0.0.1", .port = gone_soon.where().port, .source = "192.0.2.1"}),
            (connect_error{connect_failure::no_such_source, EADDRNOTAVAIL}));
  EXPECT_EQ(try_once({.host = "127.0.0.1", .port = gone_soon.where().port, .source = "::1"}).code,
            EAFNOSUPPORT);
  EXPECT_EQ(try_once({.host = "unix:/nonexistent/socket"}).code, ENOENT);
}

TEST(connect, reaches_a_unix_socket) {
  const std::string path = "unix:/tmp/dwell_connect_" + std::to_string(::getpid());
  running_server server{{.listen = {.address = path}}, echo};
  EXPECT_EQ(try_once({.host = path}).what, connect_failure::none);
}

TEST(connect, runs_out_of_descriptors_and_of_connections) {
  in_child([] {
    running_server server{on_loopback(), echo};
    const std::uint16_t port = server.where().port;
    EXPECT_EQ(try_once({.host = "127.0.0.1", .port = port}).what, connect_failure::none);
    std::vector<connect_failure> seen;
    client few{quiet_client({.connections = 2})};
    few.spawn([&]() -> task<> {
      std::vector<outbound> held;
      for (int i = 0; i < 3; ++i) {
        held.push_back(co_await connect({.host = "127.0.0.1", .port = port}));
        seen.push_back(held.back().error().what);
      }
    });
    EXPECT_EQ(few.run(), 0);
    EXPECT_THAT(seen, ::testing::ElementsAre(connect_failure::none, connect_failure::none,
                                             connect_failure::over_limit));
    seen.clear();
    client one{quiet_client()};
    one.spawn([&]() -> task<> {
      rlimit none{};
      ::getrlimit(RLIMIT_NOFILE, &none);
      none.rlim_cur = 3;
      ::setrlimit(RLIMIT_NOFILE, &none);
      const auto there = co_await connect({.host = "127.0.0.1", .port = port});
      seen.push_back(there.error().what);
    });
    EXPECT_EQ(one.run(), 0);
    EXPECT_THAT(seen, ::testing::ElementsAre(connect_failure::out_of_descriptors));
  });
}

TEST(connect, that_reaches_itself_is_refused) {
  in_two_networks([](two_networks&) {
    // One port only: the kernel gives the socket the port that it connects to.
    std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "40000 40000";
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(try_once({.host = "127.0.0.1", .port = 40'000}).what, connect_failure::refused);
    }
    EXPECT_EQ(count_states(40'000)[TCP_TIME_WAIT], 0U);
  });
}

TEST(connect, bounds_a_host_that_does_not_answer) {
  in_two_networks([](two_networks&) {
    // Nobody has that address: the neighbour is asked for three times, a second each.
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(try_once({.host = "10.77.0.99", .port = 80, .connect = 200ms}),
              (connect_error{connect_failure::timed_out, ETIMEDOUT}));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 150ms);  // 200 by the loop's clock
    EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
    EXPECT_EQ(try_once({.host = "10.77.0.99", .port = 80, .connect = 30s}).what,
              connect_failure::unreachable);
    EXPECT_EQ(try_once({.host = "198.51.100.1", .port = 80}).what, connect_failure::unreachable);
  });
}

/// The local addresses of what has connected, counted; the connections stay open until all are
/// there.
std::map<std::string, int> sources_seen(const connect_options& to, int count,
                                        std::map<connect_failure, int>& failed) {
  std::map<std::string, int> seen;
  client one{quiet_client()};
  one.spawn([&]() -> task<> {
    std::vector<outbound> held;
    for (int i = 0; i < count; ++i) {
      held.push_back(co_await connect(to));
      if (held.back()) {
        ++seen[held.back()->local_endpoint().address];
      } else {
        ++failed[held.back().error().what];
      }
    }
  });
  EXPECT_EQ(one.run(), 0);
  return seen;
}

TEST(connect, takes_its_sources_in_turn) {
  running_server server{on_loopback(), echo};
  std::map<connect_failure, int> failed;
  const auto seen = sources_seen(
      {.host = "127.0.0.1", .port = server.where().port, .source = "127.0.7.0/29"}, 60, failed);
  EXPECT_TRUE(failed.empty());
  ASSERT_EQ(seen.size(), 6U);  // .1 to .6
  for (const auto& [address, count] : seen) EXPECT_EQ(count, 10) << address;
}

TEST(connect, runs_out_of_ports_by_destination_and_source) {
  in_two_networks([](two_networks& networks) {
    running_server server{{.listen = {.address = two_networks::server_address}}, echo};
    running_server second{{.listen = {.address = two_networks::server_address}}, echo};
    networks.on_client_side([&] {
      std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "40000 40099";
      std::ofstream{"/proc/sys/net/ipv4/tcp_tw_reuse"} << "0";
      // A segment that comes late makes the other end reset, which must not end a TIME_WAIT.
      std::ofstream{"/proc/sys/net/ipv4/tcp_rfc1337"} << "1";
      // All at the same time: the kernel leaves no port of the range out.
      const connect_options plain{.host = two_networks::server_address,
                                  .port = server.where().port,
                                  .close = {.finished = close_method::abort}};
      std::map<connect_failure, int> failed;
      EXPECT_EQ(sources_seen(plain, 120, failed)[two_networks::client_address], 100);
      EXPECT_EQ(failed[connect_failure::out_of_ports], 20);
      EXPECT_THAT(to_string(connect_error{connect_failure::out_of_ports, EADDRNOTAVAIL}),
                  ::testing::HasSubstr("ip_local_port_range"));

      // A bound client has the whole range for each destination, and not in total.
      connect_options bound = plain;
      bound.source = two_networks::client_address;
      failed.clear();
      int open = 0;
      client both{quiet_client()};
      both.spawn([&]() -> task<> {
        std::vector<outbound> held;
        connect_options other = bound;
        other.port = second.where().port;
        for (int i = 0; i < 100; ++i) {
          held.push_back(co_await connect(bound));
          held.push_back(co_await connect(other));
        }
        for (const outbound& each : held) open += each ? 1 : 0;
      });
      EXPECT_EQ(both.run(), 0);
      EXPECT_EQ(open, 200);

      // FIN first keeps the port; a reset does not.
      connect_options graceful = plain;
      graceful.close.finished = close_method::graceful;
      for (int i = 0; i < 50; ++i) EXPECT_EQ(try_once(graceful).what, connect_failure::none);
      failed.clear();
      EXPECT_EQ(sources_seen(plain, 100, failed)[two_networks::client_address], 50);
      EXPECT_EQ(failed[connect_failure::out_of_ports], 50);
    });
  });
}

TEST(connect, bounds_looking_up_a_name) {
  in_two_networks([](two_networks&) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        std::system("mount --make-rprivate / && echo nameserver 127.0.0.1 > /tmp/dwell_resolv && "
                    "mount --bind /tmp/dwell_resolv /etc/resolv.conf") != 0) {
      GTEST_SKIP() << "needs a mount namespace for a resolv.conf of its own";
    }
    const int silent = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(53);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    connect_error seen;
    std::chrono::steady_clock::duration took{};
    client one{quiet_client()};
    one.spawn([&]() -> task<> {
      const auto began = std::chrono::steady_clock::now();
      const auto there =
          co_await connect({.host = "somewhere.example", .port = 80, .connect = 300ms});
      seen = there.error();
      took = std::chrono::steady_clock::now() - began;
    });
    EXPECT_EQ(one.run(), 0);
    ::close(silent);
    EXPECT_EQ(seen.what, connect_failure::timed_out);
    EXPECT_GE(took, 299ms);
    EXPECT_LT(took, 3s);
  });
}

// ── from a server ──

task<> pump(connection& from, connection& to) {
  while (auto data = co_await from.read()) {
    if (!co_await to.write(data)) co_return;
  }
  to.shutdown_send();
}

TEST(connect, from_handlers_on_several_loops) {
  running_server behind{on_loopback(), echo};
  const auto proxy = [port = behind.where().port](connection& peer) -> task<> {
    auto upstream = co_await connect({.host = "127.0.0.1", .port = port, .connect = 5s});
    if (!upstream) co_return peer.close(close_reason::overload);
    co_await when_all(pump(peer, *upstream), pump(*upstream, peer));
  };
  running_server front{on_loopback(), proxy, {.threads = 2}};
  std::vector<raw_client> peers;
  for (int i = 0; i < 50; ++i) peers.push_back(front.connect());
  for (std::size_t i = 0; i < peers.size(); ++i) peers[i].send("number " + std::to_string(i + 100));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_EQ(peers[i].receive(10), "number " + std::to_string(i + 100));
  }
  EXPECT_EQ(front->counts().connected, 50U);
  for (raw_client& each : peers) each.shutdown_send();
  for (raw_client& each : peers) EXPECT_EQ(each.receive_to_end().error, 0);
  EXPECT_TRUE(front.wait_for_live(0));
  EXPECT_TRUE(behind.wait_for_live(0));
}

TEST(connect, a_server_that_stops_takes_it_along) {
  in_two_networks([](two_networks&) {
    std::atomic<int> waiting{0};
    const auto knocking = [&waiting](connection&) -> task<> {
      ++waiting;
      const auto there = co_await connect({.host = "10.77.0.99", .port = 80, .connect = off});
      static_cast<void>(there);
    };
    std::vector<raw_client> peers;
    running_server front{{.listen = {.address = "127.0.0.1"}}, knocking, {.threads = 2}};
    for (int i = 0; i < 20; ++i) peers.push_back(front.connect());
    ASSERT_TRUE(eventually([&] { return waiting == 20; }));
    const auto began = std::chrono::steady_clock::now();
    front->stop();
    front->wait();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 900ms);
    EXPECT_EQ(front->counts().live, 0U);
    EXPECT_EQ(front->counts().waiting_for_frames, 0U);
  });
}

// ── clients ──

struct counting {
  int left = 0;
};

TEST(client, drives_many_connections_by_callbacks_on_each_loop) {
  running_server server{on_loopback(), echo, {.threads = 2}};
  std::atomic<int> answers{0};
  std::atomic<int> failures{0};
  const callbacks<counting> calls{.on_open =
                                      [](connection& peer, counting&) {
                                        peer.send("x");
                                        return true;
                                      },
                                  .on_data =
                                      [&answers](connection& peer, counting& self, bytes data) {
                                        answers += static_cast<int>(data.size());
                                        if (--self.left == 0) {
                                          peer.close();
                                        } else {
                                          peer.send("x");
                                        }
                                        return data.size();
                                      }};
  const upstream there{{.host = "127.0.0.1", .port = server.where().port},
                       calls,
                       callback<void(counting&, const connect_error&)>{
                           [&failures](counting&, const connect_error&) { ++failures; }}};
  client many{quiet_client({.threads = 2})};
  ASSERT_EQ(many.loops(), 2U);
  for (std::uint32_t loop = 0; loop < 2; ++loop) {
    many.spawn(
        [&there]() -> task<> {
          for (int i = 0; i < 100; ++i) there.connect({.left = 20});
          co_return;
        },
        loop);
  }
  EXPECT_EQ(many.run(), 0);
  EXPECT_EQ(answers, 200 * 20);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(many.counts().exchanges, 200U * 20);
  EXPECT_EQ(many.counts().time_wait[static_cast<std::size_t>(time_wait::here)], 200U);
}

TEST(client, waits_for_timers_of_asio_between_ticks) {
  client one{quiet_client()};
  std::chrono::steady_clock::duration took{};
  one.spawn([&]() -> task<> {
    const auto began = std::chrono::steady_clock::now();
    asio::steady_timer timer{executor()};
    for (int i = 1; i <= 40; ++i) {
      timer.expires_at(began + i * 250us);
      co_await timer.async_wait(use_task);
    }
    took = std::chrono::steady_clock::now() - began;
  });
  EXPECT_EQ(one.run(), 0);
  EXPECT_GE(took, 10ms);
  EXPECT_LT(took, 35ms + 100ms);  // on ticks of 1 ms it would be 40 ms and more
}

TEST(client, runs_on_the_users_io_context) {
  running_server server{on_loopback(), echo};
  asio::io_context host{1};
  bool connected = false;
  client one{host, quiet_client()};
  one.spawn([&]() -> task<> {
    auto there = co_await connect({.host = "127.0.0.1", .port = server.where().port});
    connected = static_cast<bool>(there);
  });
  host.run();  // ends with what was spawned
  EXPECT_TRUE(connected);
}

TEST(client, tells_of_a_coroutine_that_threw) {
  client one{quiet_client()};
  one.spawn([]() -> task<> {
    co_await sleep_for(1ms);
    throw std::runtime_error{"told to"};
  });
  bool other = false;
  one.spawn([&other]() -> task<> {
    co_await sleep_for(20ms);
    other = true;
  });
  EXPECT_EQ(one.run(), 1);
  EXPECT_TRUE(other);
}

TEST(client, stops_from_another_thread) {
  running_server server{on_loopback(), echo};
  std::atomic<bool> reading{false};
  client one{quiet_client({.threads = 2})};
  bool came = true;
  one.spawn([&]() -> task<> {
    auto there = co_await connect({.host = "127.0.0.1", .port = server.where().port});
    if (!there) co_return;
    reading = true;
    came = static_cast<bool>(co_await there->read());
  });
  one.start();
  EXPECT_TRUE(eventually([&] { return reading.load(); }));
  one.stop();
  one.wait();
  EXPECT_FALSE(came);
  EXPECT_TRUE(server.wait_for_live(0));
}

TEST(client, ends_by_a_signal_it_asked_for) {
  client one{quiet_client()};
  bool slept = true;
  one.on_signal(SIGUSR2, [&one] { one.stop(); });
  one.spawn([&]() -> task<> {
    ::raise(SIGUSR2);
    slept = co_await sleep_for(1min);
  });
  EXPECT_EQ(one.run(), 0);
  EXPECT_FALSE(slept);
}

TEST(client, destroyed_without_having_run_or_with_work_left) {
  { const client idle{quiet_client()}; }
  running_server server{on_loopback(), echo};
  {
    client unrun{quiet_client()};
    unrun.spawn([]() -> task<> { co_return; });
  }
  asio::io_context host{1};
  {
    client cut{host, quiet_client()};
    const upstream nowhere{{.host = "192.0.2.1", .port = 9}, callbacks<>{}};
    cut.spawn([&]() -> task<> {
      auto there = co_await connect({.host = "127.0.0.1", .port = server.where().port});
      nowhere.connect();
      const auto data = co_await there->read();
      static_cast<void>(data);
    });
    EXPECT_TRUE(eventually([&] {
      host.poll();
      return server->counts().live == 1;
    }));
  }
  EXPECT_TRUE(server.wait_for_live(0));
}

}  // namespace
}  // namespace dwell
