// What kernel_view costs: CPU time of the calling thread, best of several, so that neighbours on
// the machine do not count.

#include <dwell/kernel/kernel_view.hpp>

#include "support/two_networks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace dwell {
namespace {

double cpu_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// Least and median of `times` runs, in milliseconds of CPU.
template <class Body>
std::pair<double, double> cost(int times, Body&& body) {
  std::vector<double> each;
  for (int i = 0; i < times; ++i) {
    const double begin = cpu_milliseconds();
    body();
    each.push_back(cpu_milliseconds() - begin);
  }
  std::ranges::sort(each);
  return {each.front(), each[each.size() / 2]};
}

void check(int result, const char* what) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), what};
}

/// Descriptors until the end of the scope.
struct open_sockets {
  std::vector<int> all;
  open_sockets() = default;
  open_sockets(const open_sockets&) = delete;
  open_sockets& operator=(const open_sockets&) = delete;
  ~open_sockets() {
    for (const int each : all) ::close(each);
  }
};

bool allow_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, count);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

TEST(kernel_view_cost, usage_is_cheap_enough_for_every_scrape) {
  in_two_networks([](two_networks&) {
    kernel_view view;
    const auto [least, median] = cost(200, [&] { view.usage(); });
    const auto [counters_least, counters_median] = cost(200, [&] { view.counters(); });
    std::printf("  sockstat: %.4f ms of CPU (median %.4f)\n", least, median);
    std::printf("  netstat and snmp: %.4f ms of CPU (median %.4f)\n", counters_least,
                counters_median);
    EXPECT_LE(least, 0.2);
  });
}

TEST(kernel_view_cost, a_listener_with_15000_sockets) {
  constexpr int count = 15'000;
  constexpr int most_per_address = 5'000;
  // Only the server's ends keep a descriptor: the clients' ends are closed at once and stay,
  // orphans in FIN_WAIT_2 there, CLOSE_WAIT here.
  if (!allow_descriptors(count + 100)) GTEST_SKIP() << "needs RLIMIT_NOFILE of 15,100";
  in_two_networks([](two_networks& networks) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    check(::bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any), "bind");
    check(::listen(listener, 4096), "listen");
    socklen_t size = sizeof any;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&any), &size);
    open_sockets accepted;
    accepted.all.push_back(listener);

    sockaddr_in to = any;
    ::inet_pton(AF_INET, two_networks::server_address, &to.sin_addr);
    for (int i = 0; i < count; i += most_per_address) {
      networks.on_client_side([&] {
        for (int k = 0; k < most_per_address; ++k) {
          const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
          check(::connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
          const int taken = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
          check(taken, "accept");
          accepted.all.push_back(taken);
          ::close(client);
        }
      });
    }

    kernel_view view;
    const std::uint16_t port = ntohs(any.sin_port);
    const port_view seen = view.port(port);
    EXPECT_EQ(seen.local.total(), count + 1U);
    const auto [least, median] = cost(15, [&] { view.port(port); });
    std::printf("  one listener with %llu sockets: %.2f ms of CPU (median %.2f)\n",
                static_cast<unsigned long long>(seen.local.total()), least, median);
    EXPECT_LE(least, 20.0);
  });
}

}  // namespace
}  // namespace dwell
