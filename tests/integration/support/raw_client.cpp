#include "support/raw_client.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace dwell {
namespace {

[[noreturn]] void fail(const char* what, int error = errno) {
  throw std::system_error{error, std::generic_category(), what};
}

struct raw_address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

raw_address resolve(const endpoint& where) {
  raw_address result;
  if (where.is_unix()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    where.address.substr(5).copy(address.sun_path, sizeof address.sun_path - 1);
    std::memcpy(&result.storage, &address, sizeof address);
    result.length = sizeof address;
    return result;
  }
  const bool any = where.address.empty() || where.address == "0.0.0.0";
  const std::string host = any ? "127.0.0.1" : where.address == "::" ? "::1" : where.address;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(where.port).c_str(), &hints, &found) != 0) {
    throw std::runtime_error{"no numeric address: " + host};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  result.length = found->ai_addrlen;
  return result;
}

const sockaddr* to_sockaddr(const raw_address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

}  // namespace

raw_client::raw_client(const endpoint& to, const raw_client_options& how) : descriptor_{-1} {
  const raw_address address = resolve(to);
  descriptor_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) fail("socket");
  try {
    if (how.receive_buffer != 0 &&
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &how.receive_buffer,
                     sizeof how.receive_buffer) != 0) {
      fail("SO_RCVBUF");
    }
    if (!how.from.empty()) {
      const raw_address local = resolve({how.from, 0});
      if (::bind(descriptor_, to_sockaddr(local), local.length) != 0) fail("bind");
    }
    if (::connect(descriptor_, to_sockaddr(address), address.length) != 0) fail("connect");
    if (how.tls) tls_ = std::make_unique<tls_session>(*how.tls);
    if (how.tls && how.finishes_handshake) shake_hands();
    if (how.tls && !how.finishes_handshake) {
      tls_->handshake();
      flush();
    }
  } catch (...) {
    close();
    throw;
  }
}

raw_client& raw_client::operator=(raw_client&& other) noexcept {
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  tls_ = std::move(other.tls_);
  return *this;
}

void raw_client::shake_hands() {
  while (true) {
    tls_->handshake();
    if (const int error = flush(); error != 0) fail("handshake", error);
    if (tls_->is_open()) return;
    wait_for(POLLIN, "handshake");
    std::array<char, 16'384> part;
    const ssize_t count = ::recv(descriptor_, part.data(), part.size(), 0);
    if (count < 0) fail("handshake");
    if (count == 0) throw std::runtime_error{"handshake: the end came"};
    tls_->feed({part.data(), static_cast<std::size_t>(count)});
  }
}

int raw_client::flush() {
  std::string& unsent = tls_->unsent();
  if (unsent.empty()) return 0;
  const ssize_t count =
      ::send(descriptor_, unsent.data(), unsent.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN ? 0 : errno;
  unsent.erase(0, static_cast<std::size_t>(count));
  return 0;
}

void raw_client::wait_for(short events, const char* what) {
  pollfd watched{.fd = descriptor_, .events = events, .revents = 0};
  const auto limit = std::chrono::milliseconds{patience};
  const int count = ::poll(&watched, 1, static_cast<int>(limit.count()));
  if (count < 0) fail("poll");
  if (count == 0) throw std::runtime_error{std::string{what} + ": nothing happened in time"};
}

void raw_client::send(std::string_view data) {
  while (!data.empty()) {
    const auto [count, error] = try_send(data);
    if (error != 0) fail("send", error);
    data.remove_prefix(count);
    if (!data.empty()) wait_for(POLLOUT, "send");
  }
  while (tls_ && !tls_->unsent().empty()) {
    wait_for(POLLOUT, "send");
    if (const int error = flush(); error != 0) fail("send", error);
  }
}

std::pair<std::size_t, int> raw_client::try_send(std::string_view data) {
  if (tls_) {
    tls_->write(data);
    return {data.size(), flush()};
  }
  const ssize_t count = ::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) return {static_cast<std::size_t>(count), 0};
  return {0, errno == EAGAIN ? 0 : errno};
}

int raw_client::say_goodbye() {
  if (!tls_) return 0;
  tls_->write_close_notify();
  return flush();
}

std::string raw_client::receive(std::size_t count) {
  std::string data;
  while (data.size() < count) {
    const std::string more = receive_some(count - data.size());
    if (more.empty()) {
      throw std::runtime_error{"the end came after " + std::to_string(data.size()) + " of " +
                               std::to_string(count) + " bytes"};
    }
    data += more;
  }
  return data;
}

std::string raw_client::receive_some(std::size_t at_most) {
  while (true) {
    if (tls_) {
      std::string data = tls_->read(at_most);
      if (!data.empty() || tls_->got_close_notify()) return data;
    }
    wait_for(POLLIN, "receive");
    std::string data(at_most, '\0');
    const ssize_t count = ::recv(descriptor_, data.data(), data.size(), 0);
    if (count < 0) fail("recv");
    data.resize(static_cast<std::size_t>(count));
    if (!tls_ || data.empty()) return data;
    tls_->feed(data);
  }
}

raw_client::ending raw_client::receive_to_end() {
  ending seen;
  while (true) {
    wait_for(POLLIN, "receive to the end");
    const arrival now = receive_now();
    seen.data += now.data;
    if (!now.ended && now.error == 0) continue;
    seen.error = now.error;
    seen.truncated = tls_ && !tls_->got_close_notify();
    return seen;
  }
}

raw_client::arrival raw_client::receive_now() {
  arrival now;
  std::array<char, 65'536> part;
  const ssize_t count = ::recv(descriptor_, part.data(), part.size(), MSG_DONTWAIT);
  now.ended = count == 0;
  if (count < 0 && errno != EAGAIN) now.error = errno;
  const std::string_view came{part.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
  if (!tls_) {
    now.data = came;
    return now;
  }
  tls_->feed(came);
  for (std::string data = tls_->read(part.size()); !data.empty();) {
    now.data += data;
    data = tls_->read(part.size());
  }
  return now;
}

bool raw_client::hears_something(std::chrono::milliseconds within) {
  pollfd watched{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, static_cast<int>(within.count())) == 1;
}

bool raw_client::hears_nothing_for(std::chrono::milliseconds how_long) {
  return !hears_something(how_long);
}

void raw_client::shutdown_send() {
  if (::shutdown(descriptor_, SHUT_WR) != 0) fail("shutdown");
}

void raw_client::reset() noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void raw_client::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

std::uint16_t raw_client::local_port() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("getsockname");
  }
  in_port_t port = 0;
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&port, reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in, sin_port),
              sizeof port);
  return ntohs(port);
}

}  // namespace dwell
