#include "target.hpp"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/un.h>
#include <unistd.h>

namespace {

target unix_target(const std::string& path) {
  target result;
  auto& address = reinterpret_cast<sockaddr_un&>(result.address);
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw std::invalid_argument("unix:" + path + ": path empty or longer than 107 bytes");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return result;
}

int open_socket(const target& to, int flags) {
  const int fd = socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  return fd < 0 ? -errno : fd;
}

int connect_socket(int fd, const target& to) {
  if (fd < 0) return fd;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to.address), to.length) == 0) return fd;
  if (errno == EINPROGRESS) return fd;
  const int error = errno;
  close(fd);
  return -error;
}

}  // namespace

target parse_target(const std::string& text) {
  if (text.starts_with("unix:")) return unix_target(text.substr(5));
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
    throw std::invalid_argument(text + ": expected ADDR:PORT or unix:PATH");
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found))
    throw std::invalid_argument(text + ": " + gai_strerror(error));
  target result;
  std::memcpy(&result.address, found->ai_addr, found->ai_addrlen);
  result.length = found->ai_addrlen;
  freeaddrinfo(found);
  return result;
}

int start_connecting(const target& to, bool ack_with_data) {
  const int fd = open_socket(to, SOCK_NONBLOCK);
  const int off = 0;
  if (ack_with_data) setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
  return connect_socket(fd, to);
}

int connect_now(const target& to) { return connect_socket(open_socket(to, 0), to); }
