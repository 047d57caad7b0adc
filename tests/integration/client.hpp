#pragma once

#include <dwell/net/endpoint.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace dwell::testing {

/// True as soon as `holds` is; false when it is not within ten seconds.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

/// A blocking client on the loopback. Whatever takes ten seconds throws.
class blocking_client {
 public:
  explicit blocking_client(const endpoint& server, int receive_buffer = 0)
      : descriptor_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    if (receive_buffer > 0) set(SO_RCVBUF, receive_buffer);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    set(SO_RCVTIMEO, patience);
    set(SO_SNDTIMEO, patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to), "connect");
  }
  blocking_client(blocking_client&& other) noexcept
      : descriptor_{std::exchange(other.descriptor_, -1)} {}
  blocking_client& operator=(blocking_client&&) = delete;
  ~blocking_client() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      check(count, "send");
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  /// Exactly `size` bytes, or fewer when the server closes or resets first.
  std::string receive(std::size_t size) {
    std::string text;
    std::vector<char> block(std::size_t{256} * 1024);
    while (text.size() < size) {
      const ssize_t count =
          ::recv(descriptor_, block.data(), std::min(block.size(), size - text.size()), 0);
      if (count < 0 && errno == ECONNRESET) break;
      check(count, "recv");
      if (count == 0) break;
      text.append(block.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

  /// What comes until the server closes or resets.
  std::string receive_all() { return receive(std::string::npos); }

  std::string ask(std::string_view text) {
    send(text);
    return receive(text.size());
  }

  void shutdown_send() { check(::shutdown(descriptor_, SHUT_WR), "shutdown"); }

 private:
  static void check(ssize_t result, const char* what) {
    if (result < 0) throw std::system_error{errno, std::system_category(), what};
  }
  template <class Value>
  void set(int option, const Value& value) {
    check(::setsockopt(descriptor_, SOL_SOCKET, option, &value, sizeof value), "setsockopt");
  }

  int descriptor_;
};

}  // namespace dwell::testing
