#include "http_get.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// What comes back up to the end of the header.
std::string ask(const target& to, const std::string& request) {
  const int fd = connect_now(to);
  if (fd < 0) throw std::runtime_error(std::string("connect: ") + std::strerror(-fd));
  const timeval patience{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  std::string reply;
  std::array<char, 4096> buffer{};
  while (reply.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) break;
    reply.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const linger reset{1, 0};  // leaves no TIME_WAIT that would be taken for one of those measured
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
  return reply;
}

}  // namespace

http_get learn_http_get(const target& to, const std::string& path, bool close) {
  http_get made;
  made.request = "GET " + path + " HTTP/1.1\r\nHost: dwell.test\r\n" +
                 (close ? "Connection: close\r\n" : "") + "\r\n";
  const std::string reply = ask(to, made.request);
  const auto capitals = reply.find("Content-Length: ");
  const auto length =
      capitals != std::string::npos ? capitals : reply.find("content-length: ");  // as HAProxy
  const auto end = reply.find("\r\n\r\n");
  if (!reply.starts_with(http_get::reply_begins) || end == std::string::npos || length > end)
    throw std::runtime_error("--get " + path + ": no 200 with Content-Length but \"" +
                             reply.substr(0, reply.find('\r')) + '"');
  std::size_t body = 0;
  std::from_chars(reply.data() + length + std::strlen("Content-Length: "), reply.data() + end,
                  body);
  made.reply_size = end + 4 + body;
  return made;
}
