#include "testing/socket_client.hpp"

#include "net/close_sequence.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace dwell::testing {

socket_client::socket_client(std::uint16_t port)
    : descriptor_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  if (descriptor_ < 0) throw std::system_error{errno, std::generic_category(), "socket"};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    lose(errno);
    return;
  }
  socklen_t length = sizeof address;
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
  local_port_ = ntohs(address.sin_port);
  ::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
}

socket_client::~socket_client() { release(); }

void socket_client::send(std::string_view data) {
  if (descriptor_ < 0 || shutdown_asked_ || close_asked_) return;
  outgoing_.append(data);
  flush();
}

void socket_client::shutdown_send() {
  shutdown_asked_ = true;
  flush();
}

void socket_client::close() {
  close_asked_ = true;
  flush();
}

void socket_client::reset() {
  if (descriptor_ >= 0) close_with_reset(std::exchange(descriptor_, -1));
}

void socket_client::release() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void socket_client::lose(int error) {
  error_ = error;
  release();
}

short socket_client::interest() const noexcept {
  const int wanted = (reads_ && !got_end_ ? POLLIN : 0) | (outgoing_.empty() ? 0 : POLLOUT);
  return static_cast<short>(wanted);
}

void socket_client::act() {
  if (flush() && reads_) read_all();
}

/// False when that was the end.
bool socket_client::flush() {
  if (descriptor_ < 0) return false;
  while (!outgoing_.empty()) {
    const ssize_t count =
        ::send(descriptor_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EAGAIN) return true;
      lose(errno);
      return false;
    }
    outgoing_.erase(0, static_cast<std::size_t>(count));
  }
  if (close_asked_) {
    release();
    return false;
  }
  if (shutdown_asked_ && !std::exchange(shut_down_, true)) ::shutdown(descriptor_, SHUT_WR);
  return true;
}

void socket_client::read_all() {
  std::array<char, 64 * 1024> room;
  while (descriptor_ >= 0 && !got_end_) {
    const ssize_t count = ::recv(descriptor_, room.data(), room.size(), MSG_DONTWAIT);
    if (count < 0) {
      if (errno != EAGAIN) lose(errno);
      return;
    }
    if (count == 0) {
      got_end_ = true;
      if (closes_at_end_) close();
      return;
    }
    received_.append(room.data(), static_cast<std::size_t>(count));
    if (received_.size() >= closes_after_) close();
  }
}

}  // namespace dwell::testing
