// What happens to a new connection when all places are taken, on real sockets: a batch of clients
// comes at once.
#include <dwell/dwell.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr int places = 10;

/// A blocking client of a port on 127.0.0.1.
class client {
 public:
  explicit client(std::uint16_t port)
      : descriptor_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(descriptor_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  }
  client(client&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  client& operator=(client&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~client() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  /// Whether one byte is answered.
  bool is_served() const {
    char byte = 0;
    return send_byte() && ::recv(descriptor_, &byte, 1, 0) == 1;
  }
  bool send_byte() const { return ::send(descriptor_, "x", 1, MSG_NOSIGNAL) == 1; }
  /// Whether the server's end has reset it.
  bool was_reset() const {
    pollfd ready{descriptor_, POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1 && (ready.revents & (POLLERR | POLLHUP)) != 0;
  }

 private:
  int descriptor_;
};

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// An echo server with few places, all of them taken before its loop runs.
class full_server {
 public:
  explicit full_server(dwell::when_full policy) : server{{.connections = places, .full = policy}} {
    const dwell::callbacks<> echo{
        .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
          peer.send(data);
          return data.size();
        }};
    port = server.serve({.listen = {.address = "127.0.0.1"}}, echo).port;
    server.start();
    more(places);
    for (const client& each : clients) EXPECT_TRUE(each.is_served());
  }
  void more(int count) {
    for (int i = 0; i < count; ++i) clients.emplace_back(port);
  }
  long resets() const { return std::ranges::count_if(clients, &client::was_reset); }
  std::uint64_t live() const { return server.counts().live; }

  dwell::server server;
  std::uint16_t port = 0;
  std::vector<client> clients;
};

TEST(when_full, an_idle_connection_leaves_for_each_that_comes) {
  full_server full{dwell::when_full::evict_idle};
  full.more(1);
  ASSERT_TRUE(eventually([&] { return full.server.counts().opened == places + 1; }));
  EXPECT_EQ(full.server.counts().evicted, 1U);
  EXPECT_EQ(full.live(), places);

  full.more(5 * places);
  ASSERT_TRUE(eventually([&] { return full.server.counts().opened == 6 * places + 1; }));
  EXPECT_EQ(full.server.counts().evicted, 5 * places + 1);
  EXPECT_EQ(full.server.counts().refused, 0);
  EXPECT_EQ(full.live(), places);
  EXPECT_TRUE(eventually([&] { return full.resets() == 5 * places + 1; }));
}

TEST(when_full, nobody_leaves_before_one_is_idle) {
  dwell::server server{{.connections = 1, .full = dwell::when_full::evict_idle}};
  dwell::connection_id id;
  std::atomic<bool> busy = false;
  const dwell::callbacks<> handler{
      .on_data = [&](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        id = peer.id();
        peer.pause();
        busy = true;
        return data.size();
      }};
  const std::uint16_t port = server.serve({.listen = {.address = "127.0.0.1"}}, handler).port;
  server.start();
  client first{port};
  first.send_byte();
  ASSERT_TRUE(eventually([&] { return busy.load(); }));
  client second{port};
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(server.counts().opened, 1U);
  server.post(id, [](dwell::connection& peer) { peer.resume(); });
  EXPECT_TRUE(eventually([&] { return server.counts().opened == 2; }));
  EXPECT_EQ(server.counts().evicted, 1U);
}

TEST(when_full, refuses_each_that_comes) {
  full_server full{dwell::when_full::refuse};
  full.more(5 * places);
  EXPECT_TRUE(eventually([&] { return full.server.counts().refused == 5 * places; }));
  EXPECT_TRUE(eventually([&] { return full.resets() == 5 * places; }));
  EXPECT_EQ(full.server.counts().opened, places);
  EXPECT_EQ(full.live(), places);

  full.clients.clear();
  ASSERT_TRUE(eventually([&] { return full.live() == 0; }));
  full.more(places);
  for (const client& each : full.clients) EXPECT_TRUE(each.is_served());
}

TEST(when_full, lets_them_wait_until_a_place_is_free) {
  full_server full{dwell::when_full::pause_accept};
  full.more(5 * places);
  EXPECT_EQ(full.live(), places);
  while (!full.clients.empty()) {
    EXPECT_TRUE(full.clients.front().is_served());
    EXPECT_LE(full.live(), places);
    full.clients.erase(full.clients.begin());
  }
  EXPECT_EQ(full.server.counts().refused + full.server.counts().evicted, 0);
}

}  // namespace
