// What kernel_view says about sockets that the test has brought into each state.

#include <dwell/dwell.hpp>
#include <dwell/kernel/kernel_view.hpp>

#include "support/eventually.hpp"
#include "support/raw_client.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// A listening socket that accepts when it is told.
class listener {
 public:
  explicit listener(int backlog, bool v6 = false) : descriptor_{open(backlog, v6)} {}
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener() { ::close(descriptor_); }

  std::uint16_t port() const {
    sockaddr_storage where{};
    socklen_t size = sizeof where;
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&where), &size);
    return ntohs(where.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(where).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(where).sin_port);
  }
  int accept() const {
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) throw std::system_error{errno, std::generic_category(), "accept"};
    return accepted;
  }

 private:
  static int open(int backlog, bool v6) {
    const int made = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage any{};
    any.ss_family = v6 ? AF_INET6 : AF_INET;
    if (made < 0 || ::bind(made, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 ||
        ::listen(made, backlog) != 0) {
      throw std::system_error{errno, std::generic_category(), "listen"};
    }
    return made;
  }
  int descriptor_;
};

/// Connects from the client's network; the sockets stay there until the end of the scope.
std::vector<raw_client> connect(const two_networks& networks, std::uint16_t port, int count,
                                const char* to = two_networks::server_address) {
  std::vector<raw_client> clients;
  networks.on_client_side([&] {
    for (int i = 0; i < count; ++i) clients.emplace_back(endpoint{to, port});
  });
  return clients;
}

TEST(kernel_view, counts_states_on_both_sides) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    kernel_view here;
    auto clients = connect(networks, server.port(), 6);
    std::vector<int> accepted;
    for (int i = 0; i < 6; ++i) accepted.push_back(server.accept());
    for (std::size_t i = 0; i < 2; ++i) clients[i].shutdown_send();  // CLOSE_WAIT here
    ::close(accepted[2]);                                            // FIN_WAIT_2, an orphan
    ::shutdown(accepted[3], SHUT_WR);                                // FIN_WAIT_2, open
    clients[4].shutdown_send();
    ASSERT_TRUE(
        eventually([&] { return here.port(server.port()).local[tcp_state::close_wait] == 3; }));
    ::close(accepted[4]);  // passive close: TIME_WAIT there
    ::close(accepted[5]);
    clients[5].close();  // active close: TIME_WAIT here

    EXPECT_TRUE(eventually([&] {
      const port_view view = here.port(server.port());
      return view.local[tcp_state::close_wait] == 2 && view.local[tcp_state::fin_wait_2] == 2 &&
             view.local[tcp_state::time_wait] == 1 && view.local[tcp_state::listen] == 1 &&
             view.local.total() == 6 && view.orphans == 1;
    })) << "close_wait "
        << here.port(server.port()).local[tcp_state::close_wait] << ", fin_wait_2 "
        << here.port(server.port()).local[tcp_state::fin_wait_2] << ", time_wait "
        << here.port(server.port()).local[tcp_state::time_wait] << ", orphans "
        << here.port(server.port()).orphans;
    EXPECT_EQ(here.port(server.port()).remote.total(), 0U) << "the clients are in another network";

    networks.on_client_side([&] {
      kernel_view there;
      const port_view view = there.port(server.port());
      EXPECT_EQ(view.local.total(), 0U);
      EXPECT_EQ(view.remote[tcp_state::fin_wait_2], 2U);
      EXPECT_EQ(view.remote[tcp_state::close_wait], 2U);
      EXPECT_EQ(view.remote[tcp_state::time_wait], 1U);
    });
    for (int i = 0; i < 2; ++i) ::close(accepted[static_cast<std::size_t>(i)]);
    ::close(accepted[3]);
  });
}

TEST(kernel_view, says_how_long_a_time_wait_still_lasts) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    auto clients = connect(networks, server.port(), 1);
    ::close(server.accept());
    EXPECT_TRUE(clients[0].receive_to_end().error == 0);
    clients[0].close();
    kernel_view view;
    ASSERT_TRUE(eventually([&] { return view.port(server.port()).oldest_time_wait.has_value(); }));
    const tcp_socket waiting = *view.port(server.port()).oldest_time_wait;
    EXPECT_EQ(waiting.timer, socket_timer::time_wait);
    EXPECT_GT(waiting.remaining, 30s);
    EXPECT_LE(waiting.remaining, 61s);
    EXPECT_EQ(waiting.local.to_endpoint().address, two_networks::server_address);
    EXPECT_EQ(waiting.remote.to_endpoint().address, two_networks::client_address);
    EXPECT_EQ(waiting.inode, 0U);
    EXPECT_FALSE(waiting.is_orphan());
    EXPECT_TRUE(eventually(
        [&] { return view.port(server.port()).oldest_time_wait->remaining < waiting.remaining; }));
  });
}

TEST(kernel_view, tells_the_oldest_time_wait_from_the_newest) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    kernel_view view;
    const auto close_one = [&] {
      auto clients = connect(networks, server.port(), 1);
      const std::uint16_t port = clients[0].local_port();
      ::close(server.accept());
      static_cast<void>(clients[0].receive_to_end());
      clients[0].close();
      return port;
    };
    const std::uint16_t older = close_one();
    const auto left = [&] { return view.port(server.port()).oldest_time_wait->remaining; };
    ASSERT_TRUE(eventually([&] { return view.port(server.port()).oldest_time_wait.has_value(); }));
    const auto at_first = left();
    ASSERT_TRUE(eventually([&] { return left() < at_first - 100ms; }));
    const std::uint16_t newer = close_one();
    ASSERT_TRUE(
        eventually([&] { return view.port(server.port()).local[tcp_state::time_wait] == 2; }));
    const port_view both = view.port(server.port());
    EXPECT_EQ(both.oldest_time_wait->remote.port, older);
    EXPECT_EQ(both.newest_time_wait->remote.port, newer);
    EXPECT_LT(both.oldest_time_wait->remaining, both.newest_time_wait->remaining);
  });
}

TEST(kernel_view, does_not_count_a_fin_as_a_byte) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    auto clients = connect(networks, server.port(), 1);
    const int accepted = server.accept();
    clients[0].send("abc");
    clients[0].shutdown_send();
    kernel_view view;
    ASSERT_TRUE(
        eventually([&] { return view.port(server.port()).local[tcp_state::close_wait] == 1; }));
    EXPECT_EQ(view.port(server.port()).unread, 3U);
    std::array<char, 8> buffer{};
    EXPECT_EQ(::read(accepted, buffer.data(), buffer.size()), 3);
    EXPECT_EQ(view.port(server.port()).unread, 0U);
    EXPECT_EQ(::read(accepted, buffer.data(), buffer.size()), 0);
    EXPECT_EQ(view.port(server.port()).unread, 0U);
    ::close(accepted);
  });
}

TEST(kernel_view, says_length_and_limit_of_the_accept_queue) {
  in_two_networks([](two_networks& networks) {
    const listener server{7};
    const auto clients = connect(networks, server.port(), 3);
    kernel_view view;
    ASSERT_TRUE(eventually([&] { return view.port(server.port()).waiting_accept == 3; }));
    const port_view full = view.port(server.port());
    ASSERT_EQ(full.listeners.size(), 1U);
    EXPECT_EQ(full.listeners[0].queued, 3U);
    EXPECT_EQ(full.listeners[0].limit, 7U);
    EXPECT_NE(full.listeners[0].inode, 0U);
    ::close(server.accept());
    EXPECT_EQ(view.port(server.port()).listeners[0].queued, 2U);
  });
}

TEST(kernel_view, counts_listen_overflows) {
  in_two_networks([](two_networks& networks) {
    const listener server{0};  // one may wait
    kernel_view view;
    const std::int64_t before = view.counters().find("TcpExt.ListenOverflows").value_or(-1);
    ASSERT_GE(before, 0);
    networks.on_client_side([&] {
      std::vector<int> knocking;
      for (int i = 0; i < 8; ++i) {
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(server.port());
        ::inet_pton(AF_INET, two_networks::server_address, &to.sin_addr);
        ::connect(client, reinterpret_cast<sockaddr*>(&to), sizeof to);
        knocking.push_back(client);
      }
      EXPECT_TRUE(
          eventually([&] { return *view.counters().find("TcpExt.ListenOverflows") > before; }));
      for (const int client : knocking) ::close(client);
    });
  });
}

TEST(kernel_view, puts_ipv4_and_ipv6_of_a_port_together) {
  in_two_networks([](two_networks&) {
    const listener server{64, true};
    const raw_client v4{endpoint{"127.0.0.1", server.port()}};
    const raw_client v6{endpoint{"::1", server.port()}};
    kernel_view view;
    const port_view both = view.port(server.port());
    EXPECT_EQ(both.local[tcp_state::established], 2U);
    EXPECT_EQ(both.remote[tcp_state::established], 2U) << "on loopback both ends are here";
    const port_view local = view.port(server.port(), port_of::local_end);
    EXPECT_EQ(local.local, both.local);
    EXPECT_EQ(local.held[tcp_state::established], 0U) << "nobody has accepted them";
    EXPECT_EQ(local.held[tcp_state::listen], 1U);
    EXPECT_EQ(local.remote.total(), 0U);
    ASSERT_EQ(both.listeners.size(), 1U);
    EXPECT_EQ(both.listeners[0].where.address, "::");
    const auto seen = view.sockets(
        {.port = server.port(), .end = port_of::local_end, .states = {tcp_state::established}});
    EXPECT_EQ(std::ranges::count(seen, "127.0.0.1",
                                 [](const tcp_socket& s) { return s.local.to_endpoint().address; }),
              1);
  });
}

TEST(kernel_view, sees_bytes_in_queues) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    auto clients = connect(networks, server.port(), 1);
    const int accepted = server.accept();
    clients[0].send(std::string(1'000, 'x'));
    kernel_view view;
    EXPECT_TRUE(eventually([&] { return view.port(server.port()).unread == 1'000; }));
    ::close(accepted);
  });
}

TEST(kernel_view, is_of_the_network_it_was_made_in) {
  in_two_networks([](two_networks& networks) {
    const listener server{64};
    const auto clients = connect(networks, server.port(), 2);
    kernel_view here;
    networks.on_client_side([&] {
      EXPECT_EQ(here.port(server.port()).listeners.size(), 1U);
      EXPECT_EQ(here.usage().in_use, 3U) << "a listener and two connections";
      kernel_view there;
      EXPECT_TRUE(there.port(server.port()).listeners.empty());
      EXPECT_EQ(there.usage().in_use, 2U);
    });
  });
}

TEST(kernel_view, passes_on_what_a_visitor_throws_and_stays_usable) {
  in_two_networks([](two_networks&) {
    const listener server{64};
    kernel_view view;
    EXPECT_THROW(view.each({}, [](const tcp_socket&) { throw std::runtime_error{"enough"}; }),
                 std::runtime_error);
    EXPECT_EQ(view.port(server.port()).listeners.size(), 1U);
  });
}

}  // namespace
}  // namespace dwell
