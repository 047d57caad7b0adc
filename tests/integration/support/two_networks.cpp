#include "support/two_networks.hpp"

#include "support/child.hpp"
#include "support/eventually.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fstream>
#include <netinet/tcp.h>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace dwell {
namespace {

/// On a thread of its own: namespaces belong to threads.
void on_thread(const std::function<void()>& body) {
  std::exception_ptr failure;
  std::thread{[&] {
    try {
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }}.join();
  if (failure) std::rethrow_exception(failure);
}

void write_file(const char* path, const std::string& text) { std::ofstream{path} << text; }

/// Why not, or nothing.
std::string enter_fresh_network() {
  const bool root = ::geteuid() == 0;
  const std::string user = std::to_string(::getuid());
  if (::unshare(root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return std::string{"unshare: "} + std::strerror(errno);
  }
  if (!root) {
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + user + " 1");
  }
  return {};
}

/// Runs in the network of the calling thread.
std::string run(const std::string& command) {
  const int status = std::system((command + " >/dev/null 2>&1").c_str());
  return status == 0 ? std::string{} : command + ": failed";
}

std::string join_networks(int client_side) {
  const std::string enter = "nsenter --net=/proc/" + std::to_string(::getpid()) + "/fd/" +
                            std::to_string(client_side) + ' ';
  const std::string other =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(client_side);
  for (const std::string& command :
       {std::string{"ip link set lo up"}, "ip link add near type veth peer name far netns " + other,
        std::string{"ip address add 10.77.0.1/24 dev near"}, std::string{"ip link set near up"},
        enter + "ip link set lo up", enter + "ip address add 10.77.0.2/24 dev far",
        enter + "ip link set far up"}) {
    if (std::string why = run(command); !why.empty()) return why;
  }
  return {};
}

}  // namespace

state_counts count_states(std::uint16_t port) {
  state_counts counts{};
  for (const char* path : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
    std::ifstream table{path};
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream fields{line};
      std::string number, local, remote, state;
      fields >> number >> local >> remote >> state;
      const auto port_of = [](const std::string& address) {
        return std::stoul(address.substr(address.rfind(':') + 1), nullptr, 16);
      };
      const std::size_t which = std::stoul(state, nullptr, 16);
      if (which == TCP_LISTEN || (port_of(local) != port && port_of(remote) != port)) continue;
      ++counts.at(which);
    }
  }
  return counts;
}

void two_networks::on_client_side(const std::function<void()>& body) const {
  on_thread([&] {
    if (::setns(client_side_, CLONE_NEWNET) != 0) {
      throw std::system_error{errno, std::generic_category(), "setns"};
    }
    body();
  });
}

std::string two_networks::drop_on_client_side(const std::vector<std::uint16_t>& ports) const {
  std::string set;
  for (const std::uint16_t port : ports) set += (set.empty() ? "{ " : ", ") + std::to_string(port);
  const auto chain = [&set](const std::string& hook) {
    return " chain " + hook + " { type filter hook " + hook + " priority 0; tcp sport " + set +
           " } drop; tcp dport " + set + " } drop; };";
  };
  std::string rules = "add table inet vanished; delete table inet vanished";
  if (!ports.empty()) rules += "; table inet vanished {" + chain("input") + chain("output") + " }";
  std::string why;
  on_client_side([&] { why = run("nft '" + rules + '\''); });
  return why;
}

two_networks::both_sides two_networks::settled(std::uint16_t port) const {
  const auto only_time_wait = [](const state_counts& counts) {
    for (std::size_t state = 0; state < counts.size(); ++state) {
      if (state != TCP_TIME_WAIT && counts[state] != 0) return false;
    }
    return true;
  };
  both_sides seen{};
  int times_seen = 0;  // the table is not read in one go: what moves within it may be missed
  eventually([&] {
    both_sides now{.server = count_states(port)};
    on_client_side([&] { now.client = count_states(port); });
    const bool same = now.server == seen.server && now.client == seen.client;
    seen = now;
    times_seen =
        same && only_time_wait(seen.server) && only_time_wait(seen.client) ? times_seen + 1 : 0;
    return times_seen == 5;
  });
  return seen;
}

void in_two_networks(const std::function<void(two_networks&)>& part) {
  in_child([&] {
    const std::string why = enter_fresh_network();
    if (!why.empty()) GTEST_SKIP() << "needs a network namespace; " << why;
    int client_side = -1;
    on_thread([&] {
      if (::unshare(CLONE_NEWNET) == 0) {
        client_side = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      }
    });
    if (client_side < 0) GTEST_SKIP() << "needs a second network namespace";
    const std::string problem = join_networks(client_side);
    if (!problem.empty()) GTEST_SKIP() << "needs a veth pair between two networks; " << problem;
    two_networks networks{client_side};
    part(networks);
  });
}

}  // namespace dwell
