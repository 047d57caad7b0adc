// Options are set on the listener; what counts is what accepted sockets have. And what is refused,
// with which words.

#include <dwell/dwell.hpp>

#include "support/loop_stall.hpp"
#include "support/running_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// An option of an accepted socket.
int accepted_option(service_options options, int level, int option) {
  std::atomic<int> value = -1;
  std::atomic<bool> asked = false;
  running_server server{
      std::move(options), callbacks<>{.on_open = [&](connection& peer, no_session&) {
        int read = -1;
        socklen_t length = sizeof read;
        EXPECT_EQ(::getsockopt(peer.native_handle(), level, option, &read, &length), 0);
        value = read;
        asked = true;
        return true;
      }}};
  raw_client client = server.connect();
  EXPECT_TRUE(eventually([&] { return asked.load(); }));
  return value;
}

int accepted_tcp(const socket_options& socket, int option) {
  return accepted_option({.socket = socket}, IPPROTO_TCP, option);
}

TEST(socket_options, nodelay_arrives) {
  EXPECT_NE(accepted_tcp({}, TCP_NODELAY), 0);
  EXPECT_EQ(accepted_tcp({.nodelay = false}, TCP_NODELAY), 0);
}

TEST(socket_options, user_timeout_arrives) {
  EXPECT_EQ(accepted_tcp({.user_timeout = 12'345ms}, TCP_USER_TIMEOUT), 12'345);
  EXPECT_EQ(accepted_tcp({.user_timeout = off}, TCP_USER_TIMEOUT), 0);
  // By default no less than our own patience, and not for ever.
  const int own =
      accepted_option({.deadlines = {.write = 40s, .close = 7s}}, IPPROTO_TCP, TCP_USER_TIMEOUT);
  EXPECT_GE(own, 40'000);
  EXPECT_LE(own, 60'000);
}

TEST(socket_options, keepalive_arrives) {
  EXPECT_EQ(accepted_option({}, SOL_SOCKET, SO_KEEPALIVE), 0);
  const socket_options probes{.keepalive =
                                  keepalive_options{.idle = 5s, .interval = 2s, .count = 4}};
  EXPECT_EQ(accepted_option({.socket = probes}, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(accepted_tcp(probes, TCP_KEEPIDLE), 5);
  EXPECT_EQ(accepted_tcp(probes, TCP_KEEPINTVL), 2);
  EXPECT_EQ(accepted_tcp(probes, TCP_KEEPCNT), 4);
}

TEST(socket_options, linger2_arrives) {
  EXPECT_EQ(accepted_tcp({.linger2 = 17s}, TCP_LINGER2), 17);
  constexpr auto nowhere = close_method::abort_after_fin;
  const service_options all_abort{
      .close = {.finished = nowhere, .idle = nowhere, .slow = nowhere, .drain = nowhere},
      .socket = {.linger2 = 17s}};
  EXPECT_EQ(accepted_option(all_abort, IPPROTO_TCP, TCP_LINGER2), 17);
}

TEST(socket_options, notsent_lowat_arrives) {
  EXPECT_EQ(accepted_tcp({.notsent_lowat = 16'384U}, TCP_NOTSENT_LOWAT), 16'384);
}

TEST(socket_options, buffers_arrive) {
  // The kernel doubles what it is given, for its own bookkeeping (socket(7)).
  EXPECT_EQ(accepted_option({.socket = {.receive_buffer = 65'536}}, SOL_SOCKET, SO_RCVBUF),
            131'072);
  EXPECT_EQ(accepted_option({.socket = {.send_buffer = 65'536}}, SOL_SOCKET, SO_SNDBUF), 131'072);
}

TEST(socket_options, reuse_address_arrives) {
  EXPECT_EQ(accepted_option({}, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(accepted_option({.socket = {.reuse_address = false}}, SOL_SOCKET, SO_REUSEADDR), 0);
}

TEST(socket_options, v6only_is_stated_either_way) {
  for (const bool only : {true, false}) {
    int value = -1;
    try {
      value = accepted_option({.listen = {"::"}, .socket = {.v6only = only}}, IPPROTO_IPV6,
                              IPV6_V6ONLY);
    } catch (const std::system_error& failure) {
      GTEST_SKIP() << "this system has no IPv6: " << failure.what();
    }
    EXPECT_EQ(value, only ? 1 : 0);
  }
}

TEST(socket_options, short_mode_corks_and_long_mode_does_not) {
  EXPECT_EQ(accepted_option({.mode = connection_mode::short_lived}, IPPROTO_TCP, TCP_CORK), 1);
  EXPECT_EQ(accepted_option({.mode = connection_mode::long_lived}, IPPROTO_TCP, TCP_CORK), 0);
}

TEST(socket_options, accepted_sockets_neither_block_nor_survive_exec) {
  std::atomic<int> flags = -1;
  std::atomic<int> descriptor_flags = -1;
  running_server server{{}, callbacks<>{.on_open = [&](connection& peer, no_session&) {
                          descriptor_flags = ::fcntl(peer.native_handle(), F_GETFD);
                          flags = ::fcntl(peer.native_handle(), F_GETFL);
                          return true;
                        }}};
  raw_client client = server.connect();
  ASSERT_TRUE(eventually([&] { return flags != -1; }));
  EXPECT_NE(flags & O_NONBLOCK, 0);
  EXPECT_NE(descriptor_flags & FD_CLOEXEC, 0);
}

TEST(socket_options, defer_accept_keeps_silent_clients_with_the_kernel) {
  running_server server{{.socket = {.defer_accept = 5s}},
                        callbacks<>{.on_data = [](connection& peer, no_session&, bytes data) {
                          peer.send(data);
                          return data.size();
                        }}};
  raw_client client = server.connect();
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(server->counts().opened, 0U);
  client.send("hello");
  EXPECT_EQ(client.receive(5), "hello");
}

TEST(socket_options, backlog_bounds_the_accept_queue) {
  loop_stall stall;
  running_server server{{.socket = {.backlog = 3}},
                        callbacks<>{.on_data = [&](connection&, no_session&, bytes data) {
                          stall.hold();
                          return data.size();
                        }}};
  raw_client staller = server.connect();
  staller.send("stall");
  stall.wait_until_held();
  std::vector<pollfd> clients;
  for (int i = 0; i < 20; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.where().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static_cast<void>(
        ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address));
    clients.push_back({.fd = client, .events = POLLOUT, .revents = 0});
  }
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(::poll(clients.data(), clients.size(), 0), 4);  // one more than asked for: listen(2)
  stall.let_go();
  for (const pollfd& each : clients) ::close(each.fd);
}

// ── what is refused ──

struct refused {
  std::string name;
  std::string value;
  service_options service{};
  server_options process{};
  bool announces = false;
};

std::string complaint_about(const refused& what) {
  try {
    server here{quietly(what.process)};
    here.serve(on_loopback(what.service), callbacks<>{});
  } catch (const std::invalid_argument& complaint) {
    return complaint.what();
  }
  return "accepted";
}

TEST(validation, names_the_option_and_its_value) {
  const std::vector<refused> cases{
      {"socket.backlog", "0", {.socket = {.backlog = 0}}},
      {"socket.backlog", "65536", {.socket = {.backlog = 65'536}}},
      {"socket.user_timeout", "0", {.socket = {.user_timeout = 0ms}}},
      {"socket.keepalive.idle", "0", {.socket = {.keepalive = keepalive_options{.idle = 0s}}}},
      {"socket.keepalive.interval",
       "-1",
       {.socket = {.keepalive = keepalive_options{.interval = -1s}}}},
      {"socket.keepalive.count", "128", {.socket = {.keepalive = keepalive_options{.count = 128}}}},
      {"socket.keepalive",
       "9000",
       {.socket = {.user_timeout = 5s,
                   .keepalive = keepalive_options{.idle = 5s, .interval = 2s, .count = 2}}}},
      {"socket.linger2", "61", {.socket = {.linger2 = 61s}}},
      {"socket.defer_accept", "0", {.socket = {.defer_accept = 0s}}},
      {"socket.notsent_lowat", "0", {.socket = {.notsent_lowat = 0U}}},
      {"socket.receive_buffer", "100", {.socket = {.receive_buffer = 100}}},
      {"socket.send_buffer", "-5", {.socket = {.send_buffer = -5}}},
      {"deadlines.idle", "0", {.deadlines = {.idle = 0ms}}},
      {"deadlines.read", "-1", {.deadlines = {.read = -1ms}}},
      {"deadlines.lifetime", "2073600001", {.deadlines = {.lifetime = 24h * 24 + 1ms}}},
      {"limits.message", "0", {.limits = {.message = 0}}},
      {"limits.output", "10", {.limits = {.output = 10}}},
      {"limits.low_watermark", "70000", {.limits = {.low_watermark = 70'000}}},
      {"limits.exchanges", "0", {.limits = {.exchanges = 0}}},
      {"close.idle", "peer_first", {.close = {.idle = close_method::peer_first}}},
      {"threads", "-1", {}, {.threads = -1}},
      {"connections", "0", {}, {.connections = 0}},
      {"mailbox", "0", {}, {.mailbox = 0}},
      {"workers", "0", {}, {.workers = 0}},
      {"drain.deadline", "-1", {}, {.drain = {.deadline = -1ms}}},
      {"drain.delay", "-1", {}, {.drain = {.delay = -1ms}}},
      {"drain.first_request", "-1", {}, {.drain = {.first_request = -1ms}}},
      {"drain.spread", "-1", {}, {.drain = {.spread = -1ms}}},
  };
  for (const refused& each : cases) {
    EXPECT_THAT(complaint_about(each),
                ::testing::AllOf(::testing::HasSubstr(each.name), ::testing::HasSubstr(each.value),
                                 ::testing::HasSubstr("use")))
        << each.name;
  }
}

}  // namespace
}  // namespace dwell
