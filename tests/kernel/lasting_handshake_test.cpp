// What the kernel keeps of a connection before accept() has it: queues, their limits, and what ends
// a handshake that is not finished. Plain sockets, without Dwell.

#include <dwell/kernel/kernel_view.hpp>

#include "lasting.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;

/// A socket that has begun to connect.
class knocking {
 public:
  enum class hearing { good, deaf };
  explicit knocking(const endpoint& to, hearing how = hearing::good, int user_timeout = 0)
      : descriptor_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
    if (how == hearing::deaf) vanish(descriptor_);
    if (user_timeout != 0) set_tcp(descriptor_, TCP_USER_TIMEOUT, user_timeout);
    const sockaddr_in where = address_of(to);
    static_cast<void>(
        ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&where), sizeof where));
  }
  knocking(knocking&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  knocking& operator=(knocking&&) = delete;
  ~knocking() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  tcp_state state() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(descriptor_, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_state == TCP_ESTABLISHED) return tcp_state::established;
    return info.tcpi_state == TCP_SYN_SENT ? tcp_state::syn_sent : tcp_state::closed;
  }
  bool comes_to(tcp_state wanted) const {
    return eventually([&] { return state() == wanted; });
  }
  int error() const {
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &value, &size);
    return value;
  }

 private:
  int descriptor_;
};

std::uint64_t requests_of(const listener& server) {
  kernel_view kernel;
  return kernel.port(server.port()).local[tcp_state::syn_received];
}

std::int64_t counter(std::string_view name) {
  kernel_view kernel;
  return kernel.counters().find(name).value_or(-1);
}

TEST(syn_sent_lasts, until_the_user_timeout) {
  in_two_networks([](two_networks& networks) {
    const listener server;
    networks.on_client_side([&] {
      const knocking one{server.where(), knocking::hearing::deaf, 300};
      const knocking patient{server.where(), knocking::hearing::deaf};
      EXPECT_TRUE(one.comes_to(tcp_state::closed));
      EXPECT_EQ(one.error(), ETIMEDOUT);
      EXPECT_EQ(patient.state(), tcp_state::syn_sent);
    });
  });
}

TEST(syn_received_lasts, as_many_retries_as_tcp_synack_retries_says) {
  in_two_networks([](two_networks& networks) {
    set_sysctl("tcp_synack_retries", 1);
    const listener server;
    const listener patient;
    set_tcp(patient.descriptor(), TCP_SYNCNT, 5);  // goes before the sysctl
    std::vector<knocking> deaf;
    networks.on_client_side([&] {
      deaf.emplace_back(server.where(), knocking::hearing::deaf);
      deaf.emplace_back(patient.where(), knocking::hearing::deaf);
    });
    ASSERT_TRUE(eventually([&] { return requests_of(server) + requests_of(patient) == 2; }));
    // No further SYN comes, nor a reset.
    networks.on_client_side([] { EXPECT_EQ(std::system("ip link set far down"), 0); });
    EXPECT_TRUE(eventually([&] { return requests_of(server) == 0; })) << "three seconds later";
    EXPECT_EQ(requests_of(patient), 1U);
  });
}

TEST(syn_received_lasts, while_accept_is_deferred_although_the_client_is_established) {
  in_two_networks([](two_networks& networks) {
    const listener server;
    set_tcp(server.descriptor(), TCP_DEFER_ACCEPT, 1);
    networks.on_client_side([&] {
      const knocking silent{server.where()};
      EXPECT_TRUE(silent.comes_to(tcp_state::established));
      pollfd waiting{.fd = server.descriptor(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(::poll(&waiting, 1, 0), 0) << "nothing to accept yet";
      EXPECT_EQ(::poll(&waiting, 1, 15'000), 1) << "handed over all the same, a second later";
      ::close(server.accept());
    });
  });
}

TEST(accept_queue, that_is_full_drops_a_syn_which_comes_again) {
  in_two_networks([](two_networks& networks) {
    const listener server{1};  // one more than asked for may wait
    networks.on_client_side([&] {
      const knocking first{server.where()};
      EXPECT_TRUE(first.comes_to(tcp_state::established));
      const knocking second{server.where()};
      EXPECT_TRUE(second.comes_to(tcp_state::established)) << "before anybody has accepted it";
      const knocking third{server.where()};
      EXPECT_EQ(third.state(), tcp_state::syn_sent) << "no answer, and no reset";
      ::close(server.accept());
      EXPECT_TRUE(third.comes_to(tcp_state::established)) << "its next SYN finds room";
    });
    EXPECT_GT(counter("TcpExt.ListenOverflows"), 0);
  });
}

TEST(listen_backlog, becomes_somaxconn) {
  in_two_networks([](two_networks&) {
    std::ofstream{"/proc/sys/net/core/somaxconn"} << 17;
    const listener server{100'000};
    kernel_view kernel;
    EXPECT_EQ(kernel.port(server.port()).listeners.at(0).limit, 17U);
  });
}

TEST(syn_queue, is_as_long_as_the_backlog_and_cookies_take_over) {
  in_two_networks([](two_networks& networks) {
    set_sysctl("tcp_syncookies", 1);
    constexpr int backlog = 8;
    const listener server{backlog};
    networks.on_client_side([&] {
      std::vector<knocking> flood;
      flood.reserve(std::size_t{4} * backlog);
      for (int i = 0; i < 4 * backlog; ++i) {
        flood.emplace_back(server.where(), knocking::hearing::deaf);
      }
      const knocking honest{server.where()};
      EXPECT_TRUE(honest.comes_to(tcp_state::established)) << "by a cookie";
    });
    EXPECT_EQ(requests_of(server), std::uint64_t{backlog + 1});
    EXPECT_GT(counter("TcpExt.SyncookiesSent"), 0);
    ::close(server.accept());
  });
}

}  // namespace
}  // namespace dwell
