// Where a server listens, and who gets the connections.

#include <dwell/dwell.hpp>

#include "support/child.hpp"
#include "support/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

/// Answers with the number of the loop.
const callbacks<> says_its_loop{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(std::to_string(peer.id().loop));
  return data.size();
}};

const callbacks<> says_where{.on_data = [](connection& peer, no_session&, bytes data) {
  peer.send(to_string(peer.peer_endpoint()) + " to " + to_string(peer.local_endpoint()) + "\n");
  return data.size();
}};

std::string ask(const endpoint& where) {
  raw_client client{where};
  client.send("?");
  return client.receive_some();
}

std::string error_of(const service_options& options, server_options how = {}) {
  server refused{quietly(std::move(how))};
  try {
    refused.serve(options, says_where);
  } catch (const std::exception& failure) {
    return failure.what();
  }
  return {};
}

// ── several loops ──

TEST(loops, each_accept_for_themselves_with_reuse_port) {
  running_server server{{}, says_its_loop, {.threads = 4}};
  std::array<int, 4> connections{};
  for (int i = 0; i < 400; ++i) ++connections.at(std::stoul(ask(server.where())));
  for (const int each : connections) EXPECT_GT(each, 20);  // by hash: about 100 each
}

TEST(loops, are_dealt_round_robin_without_reuse_port) {
  running_server server{{.socket = {.reuse_port = false}}, says_its_loop, {.threads = 4}};
  std::array<int, 4> connections{};
  for (int i = 0; i < 400; ++i) ++connections.at(std::stoul(ask(server.where())));
  EXPECT_THAT(connections, ::testing::Each(100));
}

TEST(loops, are_dealt_unix_connections_round_robin) {
  const std::string path =
      "unix:" + ::testing::TempDir() + "dwell-deal-" + std::to_string(::getpid());
  running_server server{{.listen = {path}}, says_its_loop, {.threads = 3}};
  std::array<int, 3> connections{};
  for (int i = 0; i < 300; ++i) ++connections.at(std::stoul(ask(server.where())));
  EXPECT_THAT(connections, ::testing::Each(100));
}

// ── ports ──

TEST(port, that_is_taken_is_refused_although_loops_share_it) {
  for (const bool reuse_port : {true, false}) {
    for (const int threads : {1, 4}) {
      SCOPED_TRACE(std::to_string(threads) + (reuse_port ? " threads, shared" : " threads"));
      const service_options options{.listen = {"127.0.0.1"}, .socket = {.reuse_port = reuse_port}};
      running_server first{options, says_its_loop, {.threads = threads}};
      const std::string error = error_of(
          {.listen = first.where(), .socket = {.reuse_port = reuse_port}}, {.threads = threads});
      EXPECT_THAT(error, ::testing::AllOf(::testing::HasSubstr(to_string(first.where())),
                                          ::testing::HasSubstr("use"),
                                          ::testing::HasSubstr("another port")));
      EXPECT_FALSE(ask(first.where()).empty());
    }
  }
}

TEST(port, binds_again_at_once_over_time_wait) {
  endpoint where;
  {
    running_server server{{.mode = connection_mode::short_lived}, says_its_loop, {.threads = 2}};
    where = server.where();
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(ask(where).empty());  // TIME_WAIT is the server's
  }
  for (const int threads : {1, 2}) {
    running_server again{{.listen = where}, says_its_loop, {.threads = threads}};
    EXPECT_EQ(again.where(), where);
  }
}

TEST(port, that_is_privileged_says_so) {
  in_child([] {
    if (::geteuid() == 0 && ::setuid(65'534) != 0) GTEST_SKIP() << "cannot drop privileges";
    const std::string error = error_of({.listen = {"127.0.0.1", 80}});
    if (error.empty()) GTEST_SKIP() << "net.ipv4.ip_unprivileged_port_start allows port 80";
    EXPECT_THAT(error, ::testing::AllOf(::testing::HasSubstr("127.0.0.1:80"),
                                        ::testing::HasSubstr("CAP_NET_BIND_SERVICE")));
  });
}

TEST(address, that_cannot_be_used_is_named) {
  EXPECT_THAT(error_of({.listen = {"localhost", 80}}),
              ::testing::AllOf(::testing::HasSubstr("localhost"), ::testing::HasSubstr("literal")));
  EXPECT_THAT(
      error_of({.listen = {"192.0.2.1", 0}}),
      ::testing::AllOf(::testing::HasSubstr("192.0.2.1:0"), ::testing::HasSubstr("interface")));
}

// ── families ──

bool has_ipv6() {
  const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool works =
      ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return works;
}

TEST(family, is_ipv4) {
  running_server server{{.listen = {"127.0.0.1"}}, says_where};
  EXPECT_THAT(ask(server.where()),
              ::testing::ContainsRegex("^127.0.0.1:[0-9]+ to 127.0.0.1:[0-9]+\n$"));
}

TEST(family, is_ipv6) {
  if (!has_ipv6()) GTEST_SKIP() << "this system has no IPv6";
  running_server server{{.listen = {"::1"}}, says_where};
  EXPECT_THAT(ask(server.where()),
              ::testing::ContainsRegex("^\\[::1\\]:[0-9]+ to \\[::1\\]:[0-9]+\n$"));
}

TEST(family, is_both_by_default_and_ipv4_peers_look_like_that) {
  if (!has_ipv6()) GTEST_SKIP() << "this system has no IPv6";
  server everywhere{quietly()};
  const endpoint where = everywhere.serve({.listen = {}}, says_where);
  everywhere.start();
  EXPECT_THAT(ask({"127.0.0.1", where.port}),
              ::testing::ContainsRegex("^127.0.0.1:[0-9]+ to 127.0.0.1:[0-9]+\n$"));
  EXPECT_THAT(ask({"::1", where.port}), ::testing::ContainsRegex("^\\[::1\\]:"));
}

TEST(family, is_ipv6_alone_with_v6only) {
  if (!has_ipv6()) GTEST_SKIP() << "this system has no IPv6";
  server v6{quietly()};
  const endpoint where = v6.serve({.listen = {"::"}, .socket = {.v6only = true}}, says_where);
  v6.start();
  EXPECT_FALSE(ask({"::1", where.port}).empty());
  EXPECT_THROW(ask({"127.0.0.1", where.port}), std::system_error);
  server v4{quietly()};  // the port is free for IPv4
  EXPECT_NO_THROW(v4.serve({.listen = {"0.0.0.0", where.port}}, says_where));
}

// ── Unix sockets ──

class unix_socket : public ::testing::Test {
 protected:
  ~unix_socket() override { std::filesystem::remove(path_); }
  const std::string path_ = ::testing::TempDir() + "dwell-" + std::to_string(::getpid()) + ".sock";
  const endpoint where_{"unix:" + path_};
};

TEST_F(unix_socket, is_served_and_unlinked_at_the_end) {
  {
    running_server server{{.listen = where_}, says_where};
    EXPECT_EQ(server.where(), where_);
    EXPECT_TRUE(std::filesystem::is_socket(path_));
    EXPECT_EQ(ask(where_), "unix: to " + to_string(where_) + "\n");
    const close_record record = server.records().only();
    EXPECT_EQ(record.reason, close_reason::peer_closed);
    EXPECT_EQ(record.time_wait, time_wait::not_applicable);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(unix_socket, is_unlinked_by_a_drain) {
  running_server server{{.listen = where_}, says_where};
  server->drain();
  server->wait();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(unix_socket, replaces_the_file_of_a_server_that_was_killed) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(std::filesystem::exists(path_));
  running_server server{{.listen = where_}, says_where};
  EXPECT_FALSE(ask(where_).empty());
}

TEST_F(unix_socket, of_a_living_server_is_left_alone) {
  running_server first{{.listen = where_}, says_where};
  EXPECT_THAT(error_of({.listen = where_}),
              ::testing::AllOf(::testing::HasSubstr(path_), ::testing::HasSubstr("another")));
  EXPECT_FALSE(ask(where_).empty());
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(unix_socket, does_not_replace_a_file_that_is_none) {
  std::FILE* const file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  EXPECT_THAT(error_of({.listen = where_}), ::testing::HasSubstr(path_));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(unix_socket, closes_as_tcp_does) {
  for (const close_method method : {close_method::graceful, close_method::abort_after_fin,
                                    close_method::peer_first, close_method::abort}) {
    SCOPED_TRACE(to_string(method));
    running_server server{
        {.listen = where_, .mode = connection_mode::short_lived, .close = {.finished = method}},
        says_where};
    raw_client client{where_};
    client.send("?");
    const auto end = client.receive_to_end();
    if (method != close_method::abort) {
      EXPECT_EQ(end.data, "unix: to " + to_string(where_) + "\n");
      EXPECT_EQ(end.error, 0);
    }
    const close_record record = server.records().only();
    EXPECT_EQ(record.reason, close_reason::finished);
    EXPECT_EQ(record.time_wait, time_wait::not_applicable);
  }
}

}  // namespace
}  // namespace dwell
