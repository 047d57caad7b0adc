// What is said about TIME_WAIT, against the kernel: plain sockets in two networks, no server of
// Dwell's.

#include <dwell/kernel/kernel_view.hpp>

#include "support/eventually.hpp"
#include "support/raw_client.hpp"
#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwell {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// In the network of the calling thread. Returns why not, or nothing.
std::string set_sysctl(const std::string& name, const std::string& value) {
  std::ofstream file{"/proc/sys/net/ipv4/" + name};
  if (file << value << std::flush) return {};
  return "net.ipv4." + name + " cannot be set in a network namespace here";
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

class descriptor {
 public:
  explicit descriptor(int number, const char* what) : number_{number} {
    if (number < 0) fail(what);
  }
  descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() { close(); }
  int operator*() const noexcept { return number_; }
  void close() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

enum class reuse { no, yes };

/// bind() and listen(), or the errno value.
std::pair<std::optional<descriptor>, int> try_listen(std::uint16_t port, reuse address) {
  descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"};
  const int on = address == reuse::yes ? 1 : 0;
  ::setsockopt(*made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (::bind(*made, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0)
    return {std::nullopt, errno};
  if (::listen(*made, 1'000) != 0) return {std::nullopt, errno};
  return {std::move(made), 0};
}

class listener {
 public:
  explicit listener(reuse address = reuse::yes, std::uint16_t port = 0)
      : socket_{std::move(*try_listen(port, address).first)} {}
  descriptor accept() const {
    return descriptor{::accept4(*socket_, nullptr, nullptr, SOCK_CLOEXEC), "accept"};
  }
  std::uint16_t port() const {
    sockaddr_in where{};
    socklen_t size = sizeof where;
    ::getsockname(*socket_, reinterpret_cast<sockaddr*>(&where), &size);
    return ntohs(where.sin_port);
  }
  endpoint over_veth() const { return {two_networks::server_address, port()}; }
  endpoint over_loopback() const { return {"127.0.0.1", port()}; }

 private:
  descriptor socket_;
};

enum class closes_first { server, client };

/// One connection whose ends have closed, in this order.
void come_and_go(const listener& server, const endpoint& where, closes_first who) {
  raw_client client{where};
  descriptor accepted = server.accept();
  if (who == closes_first::server) {
    accepted.close();
    EXPECT_EQ(client.receive_to_end().error, 0);
    client.close();
  } else {
    client.close();
    char byte = 0;
    EXPECT_EQ(::recv(*accepted, &byte, 1, 0), 0);
    accepted.close();
  }
}

std::size_t time_waits(kernel_view& of) {
  return of.sockets({.states = {tcp_state::time_wait}}).size();
}

/// On the side that the view is of, once they are there.
std::vector<tcp_socket> await_time_waits(kernel_view& of, std::size_t count) {
  EXPECT_TRUE(eventually([&] { return time_waits(of) == count; })) << time_waits(of);
  return of.sockets({.states = {tcp_state::time_wait}});
}

/// The error that connecting ends with; 0: none.
int connect_error(const endpoint& where) {
  try {
    const raw_client client{where};
    return 0;
  } catch (const std::system_error& failed) {
    return failed.code().value();
  }
}

TEST(folk, time_wait_lasts_60_s_and_fin_timeout_bounds_orphans_in_fin_wait_2) {
  in_two_networks([](two_networks& networks) {
    if (const auto why = set_sysctl("tcp_fin_timeout", "5"); !why.empty()) GTEST_SKIP() << why;
    kernel_view here;
    const listener server;
    networks.on_client_side([&] {
      come_and_go(server, server.over_veth(), closes_first::server);
      const std::vector<tcp_socket> waiting = await_time_waits(here, 1);
      ASSERT_EQ(waiting.size(), 1U);
      EXPECT_GT(waiting[0].remaining, 40s) << "of 60 s, and some have passed";
      EXPECT_LE(waiting[0].remaining, 60s);

      const raw_client holds{server.over_veth()};
      server.accept().close();
      std::vector<tcp_socket> orphans;
      EXPECT_TRUE(eventually([&] {
        orphans = here.sockets({.states = {tcp_state::fin_wait_2}});
        return orphans.size() == 1;
      }));
      ASSERT_EQ(orphans.size(), 1U);
      EXPECT_LE(orphans[0].remaining, 5s);
      EXPECT_EQ(here.usage().time_wait, 2U) << "counted with TIME_WAIT, as it is kept";
    });
  });
}

TEST(folk, time_wait_takes_no_descriptor) {
  in_two_networks([](two_networks& networks) {
    kernel_view here;
    const listener server;
    const auto descriptors = [] {
      const std::filesystem::directory_iterator all{"/proc/self/fd"};
      return std::distance(begin(all), end(all));
    };
    networks.on_client_side([&] {
      const auto before = descriptors();
      for (int i = 0; i < 100; ++i) {
        come_and_go(server, server.over_veth(), closes_first::server);
      }
      for (const tcp_socket& each : await_time_waits(here, 100)) EXPECT_EQ(each.inode, 0U);
      EXPECT_EQ(descriptors(), before);
    });
  });
}

TEST(folk, time_wait_is_256_bytes_of_kernel_memory) {
  std::size_t bytes = 0;
  if (!(std::ifstream{"/sys/kernel/slab/tw_sock_TCP/slab_size"} >> bytes)) {
    GTEST_SKIP() << "/sys/kernel/slab/tw_sock_TCP/slab_size cannot be read; needs root and SLUB";
  }
  EXPECT_LE(bytes, 256U);
}

TEST(folk, a_servers_port_is_not_used_up_the_same_client_port_connects_again) {
  in_two_networks([](two_networks& networks) {
    kernel_view here;
    const listener server;
    networks.on_client_side([&] {
      if (const auto why = set_sysctl("ip_local_port_range", "40000 40000"); !why.empty()) {
        GTEST_SKIP() << why;
      }
      for (int i = 0; i < 50; ++i) {
        come_and_go(server, server.over_veth(), closes_first::server);
        EXPECT_EQ(await_time_waits(here, 1).size(), 1U) << "the same one, made anew";
      }
    });
  });
}

TEST(folk, a_client_that_closes_first_uses_up_its_port) {
  in_two_networks([](two_networks& networks) {
    const listener server;
    networks.on_client_side([&] {
      if (const auto why = set_sysctl("ip_local_port_range", "40000 40009"); !why.empty()) {
        GTEST_SKIP() << why;
      }
      kernel_view there;
      for (int i = 0; i < 10; ++i) {
        come_and_go(server, server.over_veth(), closes_first::client);
      }
      await_time_waits(there, 10);
      EXPECT_EQ(connect_error(server.over_veth()), EADDRNOTAVAIL) << "for 60 s";
    });
  });
}

TEST(folk, tw_reuse_is_for_outgoing_connections_and_its_default_for_loopback) {
  in_two_networks([](two_networks& networks) {
    if (const auto why = set_sysctl("tcp_tw_reuse", "1"); !why.empty()) GTEST_SKIP() << why;
    kernel_view here;
    const listener server;
    networks.on_client_side([&] {
      come_and_go(server, server.over_veth(), closes_first::server);
      await_time_waits(here, 1);  // on the server all is as before

      ASSERT_EQ(set_sysctl("ip_local_port_range", "40000 40000"), "");
      ASSERT_EQ(set_sysctl("tcp_tw_reuse", "2"), "");
      kernel_view there;
      come_and_go(server, server.over_veth(), closes_first::client);
      await_time_waits(there, 1);
      EXPECT_TRUE(eventually([&] {  // until net.ipv4.tcp_tw_reuse_delay, 1 s, has passed
        return await_time_waits(there, 1).front().remaining < 58'500ms;
      }));
      EXPECT_EQ(connect_error(server.over_veth()), EADDRNOTAVAIL) << "2 is for loopback";
      ASSERT_EQ(set_sysctl("tcp_tw_reuse", "1"), "");
      EXPECT_EQ(connect_error(server.over_veth()), 0);
    });
  });
}

TEST(folk, loopback_hides_what_time_wait_costs_a_client) {
  in_two_networks([](two_networks&) {
    if (const auto why = set_sysctl("ip_local_port_range", "40000 40000"); !why.empty()) {
      GTEST_SKIP() << why;
    }
    const listener server{reuse::yes, 39'999};
    come_and_go(server, server.over_loopback(), closes_first::client);
    EXPECT_TRUE(eventually([&] { return connect_error(server.over_loopback()) == 0; }));
  });
}

TEST(folk, max_tw_buckets_drops_what_is_too_many_and_counts_it) {
  in_two_networks([](two_networks& networks) {
    if (const auto why = set_sysctl("tcp_max_tw_buckets", "10"); !why.empty()) GTEST_SKIP() << why;
    kernel_view here;
    const listener server;
    networks.on_client_side([&] {
      for (int i = 0; i < 30; ++i) {
        come_and_go(server, server.over_veth(), closes_first::server);
      }
    });
    EXPECT_TRUE(eventually(
        [&] { return here.counters().find("TcpExt.TCPTimeWaitOverflow").value_or(0) > 0; }));
    EXPECT_LE(time_waits(here), 11U);
  });
}

TEST(folk, tw_recycle_is_gone) {
  EXPECT_FALSE(std::filesystem::exists("/proc/sys/net/ipv4/tcp_tw_recycle"));
}

TEST(folk, listening_again_over_time_wait_needs_so_reuseaddr_on_the_old_listener_too) {
  in_two_networks([](two_networks& networks) {
    kernel_view here;
    std::size_t waiting = 0;
    for (const reuse was : {reuse::no, reuse::yes}) {
      for (const reuse is : {reuse::no, reuse::yes}) {
        std::optional<listener> old{was};
        networks.on_client_side([&] { come_and_go(*old, old->over_veth(), closes_first::server); });
        await_time_waits(here, ++waiting);
        const std::uint16_t port = old->port();
        old.reset();
        const bool both = was == reuse::yes && is == reuse::yes;
        EXPECT_EQ(try_listen(port, is).second, both ? 0 : EADDRINUSE);
      }
    }
  });
}

TEST(folk, a_positive_so_linger_blocks_close_of_a_non_blocking_socket) {
  in_two_networks([](two_networks& networks) {
    const listener server;
    networks.on_client_side([&] {
      const raw_client never_reads{server.over_veth(), {.receive_buffer = 4'096}};
      descriptor accepted = server.accept();
      const std::string much(1'000'000, 'x');
      EXPECT_GT(::send(*accepted, much.data(), much.size(), MSG_DONTWAIT), 0);
      const linger for_a_second{.l_onoff = 1, .l_linger = 1};
      ASSERT_EQ(::fcntl(*accepted, F_SETFL, O_NONBLOCK), 0);
      ASSERT_EQ(::setsockopt(*accepted, SOL_SOCKET, SO_LINGER, &for_a_second, sizeof for_a_second),
                0);
      const auto before = clock::now();
      accepted.close();
      EXPECT_GE(clock::now() - before, 900ms);
    });
  });
}

TEST(folk, the_option_of_linger2_does_not_shorten_time_wait) {
  in_two_networks([](two_networks& networks) {
    kernel_view here;
    const listener server;
    networks.on_client_side([&] {
      raw_client client{server.over_veth()};
      descriptor accepted = server.accept();
      const int one = 1;
      ASSERT_EQ(::setsockopt(*accepted, IPPROTO_TCP, TCP_LINGER2, &one, sizeof one), 0);
      accepted.close();
      EXPECT_EQ(client.receive_to_end().error, 0);
      client.close();
      const std::vector<tcp_socket> waiting = await_time_waits(here, 1);
      ASSERT_EQ(waiting.size(), 1U);
      EXPECT_GT(waiting[0].remaining, 40s);
    });
  });
}

}  // namespace
}  // namespace dwell
