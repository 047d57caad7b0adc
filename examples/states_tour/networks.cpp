#include "networks.hpp"

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

/// Root in a user namespace, which may make network namespaces.
void become_root() {
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
}

/// Runs ip(8) in the network of the calling thread.
void configure(const std::string& commands) {
  const std::string run = "ip -batch - <<'end'\n" + commands + "end\n";
  if (std::system(run.c_str()) == 0) return;
  throw not_here{
      "cannot join two networks: ip(8) of the package iproute2 has to be installed, "
      "and the kernel has to know veth"};
}

}  // namespace

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

networks make_networks() {
  const bool root = ::geteuid() == 0;
  if (!root) become_root();
  networks made{.made_by_root = root};
  made.wire.enter();
  configure("link add to_server type veth peer name eth0 address 02:00:00:00:00:01 netns " +
            made.server.path() +
            "\nlink add to_client type veth peer name eth0 address 02:00:00:00:00:02 netns " +
            made.client.path() + "\nlink set to_server up\nlink set to_client up\n");
  // Neighbours are told, so that nothing but TCP has to cross the wire.
  made.client.enter();
  configure(
      "address add 10.77.0.2/24 dev eth0\nlink set eth0 up\n"
      "neighbour add 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n");
  made.server.enter();
  configure(
      "address add 10.77.0.1/24 dev eth0\nlink set eth0 up\n"
      "neighbour add 10.77.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n");
  return made;
}
