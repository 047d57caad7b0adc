#include "common/network.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace {

constexpr const char* here = "/proc/thread-self/ns/net";

int open_here() { return ::open(here, O_RDONLY | O_CLOEXEC); }

void write_file(const char* path, const std::string& text) { std::ofstream{path} << text; }

}  // namespace

bool become_root() {
  if (::geteuid() == 0) return false;
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER) != 0) {
    throw not_here{std::string{"needs network namespaces of its own: run it as root, or allow user "
                               "namespaces (unshare: "} +
                   std::strerror(errno) + "; sysctl kernel.unprivileged_userns_clone, " +
                   "kernel.apparmor_restrict_unprivileged_userns)"};
  }
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + user + " 1");
  write_file("/proc/self/gid_map", "0 " + group + " 1");
  return true;
}

void configure_network(const std::string& commands) {
  const std::string run = "ip -batch - <<'end'\n" + commands + "end\n";
  if (std::system(run.c_str()) == 0) return;
  throw not_here{
      "cannot join two networks: ip(8) of the package iproute2 has to be installed, "
      "and the kernel has to know veth"};
}

network::network() {
  if (::unshare(CLONE_NEWNET) != 0 || (descriptor_ = open_here()) < 0) {
    throw not_here{std::string{"needs network namespaces of its own; unshare: "} +
                   std::strerror(errno) + ". In a container, CAP_SYS_ADMIN allows them"};
  }
}

network::network(network&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}

network::~network() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void network::enter() const {
  if (::setns(descriptor_, CLONE_NEWNET) != 0) {
    throw std::system_error{errno, std::generic_category(), "setns"};
  }
}

int network::make_socket(int flags) const {
  const int before = open_here();
  enter();
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  const int error = errno;
  ::setns(before, CLONE_NEWNET);
  ::close(before);
  if (made < 0) throw std::system_error{error, std::generic_category(), "socket"};
  return made;
}

std::string network::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor_);
}
