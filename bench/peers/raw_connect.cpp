// The yardstick of a client: short connections by hand on one epoll set, one thread, nothing else.

#include "peer.hpp"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <vector>

namespace {

constexpr const char* help =
    R"(Opens connection after connection, sends 64 bytes, has them back, and resets: by hand on one epoll set.

  --to PORT           of an echo server on 127.0.0.1
  --count N           connections in all (default 40000)
  --connections N     at a time (default 100)
  --options none|set  set: TCP_NODELAY and TCP_USER_TIMEOUT, a call each

Prints one JSON line: connections and CPU microseconds of each.
)";

constexpr std::size_t size = 64;

class client {
 public:
  client(std::uint16_t port, std::uint64_t count, bool sets_options)
      : count_(count), sets_options_(sets_options) {
    to_.sin_family = AF_INET;
    to_.sin_port = htons(port);
    to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }

  void run(std::uint64_t at_a_time) {
    for (std::uint64_t i = 0; i < at_a_time; ++i) open_next();
    std::array<epoll_event, 128> events{};
    while (done_ < count_) {
      const int n = epoll_wait(set_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        state_of(fd).connected ? read_from(fd) : begin(fd);
      }
    }
  }

 private:
  struct state {
    bool connected = false;
    std::size_t received = 0;
  };

  state& state_of(int fd) { return states_[static_cast<std::size_t>(fd)]; }

  void open_next() {
    if (begun_ == count_) return;
    ++begun_;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    const int on = 1;
    const int patience = 30'000;
    if (sets_options_) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    }
    if (connect(fd, reinterpret_cast<sockaddr*>(&to_), sizeof to_) < 0 && errno != EINPROGRESS) {
      die("connect");
    }
    if (static_cast<std::size_t>(fd) >= states_.size())
      states_.resize(static_cast<std::size_t>(fd) + 1024);
    state_of(fd) = {};
    watch(set_, fd, EPOLLOUT);
  }

  void begin(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) die("connect");
    if (send(fd, message_.data(), message_.size(), MSG_NOSIGNAL) != ssize_t{size}) die("send");
    watch(set_, fd, EPOLLIN, EPOLL_CTL_MOD);
    state_of(fd).connected = true;
  }

  void read_from(int fd) {
    const ssize_t n = recv(fd, buffer_.data(), buffer_.size(), 0);
    if (n <= 0) die("recv");
    state_of(fd).received += static_cast<std::size_t>(n);
    if (state_of(fd).received < size) return;
    const linger reset{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    ++done_;
    open_next();
  }

  sockaddr_in to_{};
  std::uint64_t count_;
  bool sets_options_;
  int set_ = epoll_create1(EPOLL_CLOEXEC);
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  std::vector<state> states_;  // by descriptor
  std::string message_ = std::string(size, 'x');
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace

int main(int argc, char** argv) {
  const flags given{
      argc,
      argv,
      help,
      {{"--to", "7777"}, {"--count", "40000"}, {"--connections", "100"}, {"--options", "none"}}};
  const auto sets = one_of<bool>(given, "--options", {{"none", false}, {"set", true}});
  const std::uint64_t count = given.number("--count");
  client{static_cast<std::uint16_t>(given.number("--to")), count, sets}.run(
      given.number("--connections"));
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                   static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  std::printf("{\"connections\": %lu, \"cpu_us_each\": %.3f}\n", count,
              cpu / static_cast<double>(count));
}
