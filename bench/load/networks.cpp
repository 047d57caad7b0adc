#include "networks.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fstream>
#include <ifaddrs.h>
#include <memory>
#include <netdb.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace load {
namespace {

std::string network_of(pid_t process) { return "/proc/" + std::to_string(process) + "/ns/net"; }

/// "10.0.0.1", without the port.
std::string address_in(const sockaddr* where) {
  char text[INET6_ADDRSTRLEN] = "";
  if (where->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, where, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  } else if (where->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, where, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return text;
}

std::string interface_with(const std::string& address) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{all, ::freeifaddrs};
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr != nullptr && address_in(one->ifa_addr) == address) return one->ifa_name;
  }
  // All of 127.0.0.0/8 is local, and the interface has one address of it.
  return address.starts_with("127.") ? "lo" : std::string{};
}

}  // namespace

std::optional<bool> shares_network(pid_t process) {
  struct stat ours {};
  struct stat theirs {};
  if (::stat("/proc/thread-self/ns/net", &ours) != 0) return std::nullopt;
  if (::stat(network_of(process).c_str(), &theirs) != 0) return std::nullopt;
  return ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

void in_network_of(pid_t process, const std::function<void()>& body) {
  std::exception_ptr failure;
  std::thread{[&] {
    try {
      const int there = ::open(network_of(process).c_str(), O_RDONLY | O_CLOEXEC);
      const int entered = there < 0 ? -1 : ::setns(there, CLONE_NEWNET);
      const int error = errno;
      if (there >= 0) ::close(there);
      if (entered != 0) {
        throw std::system_error{error, std::generic_category(),
                                "the network of process " + std::to_string(process)};
      }
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }}.join();
  if (failure) std::rethrow_exception(failure);
}

std::optional<way_out> way_to(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) {
    return std::nullopt;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{found, ::freeaddrinfo};
  const int probe = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  // Sends nothing: a datagram socket only looks up its route.
  const bool known = probe >= 0 && ::connect(probe, found->ai_addr, found->ai_addrlen) == 0 &&
                     ::getsockname(probe, reinterpret_cast<sockaddr*>(&local), &size) == 0;
  if (probe >= 0) ::close(probe);
  if (!known) return std::nullopt;
  way_out way{.address = address_in(reinterpret_cast<const sockaddr*>(&local))};
  way.interface = interface_with(way.address);
  const std::string there = address_in(found->ai_addr);
  way.within_this_network = way.interface == "lo" || !interface_with(there).empty();
  if (way.within_this_network) way.interface = "lo";
  return way;
}

std::optional<std::string> read_sysctl(const std::string& name) {
  std::string path = "/proc/sys/" + name;
  for (char& letter : path) letter = letter == '.' ? '/' : letter;
  std::ifstream file{path};
  if (!file) return std::nullopt;
  std::string value, word;
  while (file >> word) value.append(value.empty() ? "" : " ").append(word);
  return value;
}

}  // namespace load
