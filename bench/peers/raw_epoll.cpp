// The yardstick: an echo server by hand on one level-triggered epoll set, one thread, nothing else.
//
// Two phases: accept a batch, then try to serve each new descriptor at once, and only then register
// the survivors. A connection that is done in its first exchange never enters the set.

#include "peer.hpp"

#include <unordered_map>
#include <vector>

namespace {

constexpr const char* help =
    R"(Echo server by hand on one epoll set: what the framework is measured against.

  --listen ADDR:PORT    default 127.0.0.1:0 (any free port); prints "listening on ADDR:PORT"
  --mode long|short     long: echo until the client's FIN; short: one exchange of --size bytes
  --size N              bytes of an exchange in short mode (default 64)
  --close HOW           how a short connection ends after its exchange:
                          graceful         close() after the last send: FIN with the last bytes
                          lingering        shutdown(SHUT_WR), read to EOF, close()
                          client           wait for the client's FIN
                          abort-after-fin  TCP_LINGER2 = -1, close()
                          abort            SO_LINGER {1,0}, close()
  --answer echo|http    http: each receive is taken for a request, and answered with a fixed 200 OK;
                        short connections end after one
  --accept batch|one    batch: the two phases; one: accept one, register it, serve it at its event

SIGUSR1 and the end (SIGINT, SIGTERM) print the system calls made, per request, as one JSON line.

Example: raw_epoll --listen 127.0.0.1:7777 --mode short --size 100 --close client
)";

constexpr std::size_t batch = 128;

struct connection {
  std::uint64_t echoed = 0;
  bool registered = false;
  bool blocked = false;      // output is waiting in `pending_`: watch for EPOLLOUT only
  bool half_closed = false;  // our FIN has left; reading to EOF
};

struct call_counts {
  std::uint64_t accept4 = 0;
  std::uint64_t recv = 0;
  std::uint64_t send = 0;
  std::uint64_t epoll_wait = 0;
  std::uint64_t epoll_ctl = 0;
  std::uint64_t shutdown = 0;
  std::uint64_t setsockopt = 0;
  std::uint64_t close = 0;
};

enum class ending { graceful, lingering, client, abort_after_fin, abort };

/// What a real server says, but for a date that stands still. Empty: what came is sent back.
std::string fixed_answer(bool http, bool short_lived) {
  if (!http) return {};
  const std::string stay = short_lived ? "close" : "keep-alive\r\nKeep-Alive: timeout=54";
  return "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: " + stay +
         "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nOK";
}

class echo_server {
 public:
  echo_server(int listener, bool short_lived, std::uint64_t size, ending how, std::size_t accepts,
              bool http)
      : listener_(listener),
        short_lived_(short_lived),
        answer_(fixed_answer(http, short_lived)),
        size_(http ? 1 : size),
        ending_(how),
        accepts_(accepts) {
    // The last bytes and the FIN share a segment; inherited, so it costs no call per connection.
    const int on = 1;
    if (short_lived && how != ending::client)
      setsockopt(listener, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    watch(set_, listener_, EPOLLIN);
    watch(set_, signals_, EPOLLIN);
  }

  void run() {
    std::array<epoll_event, batch> events{};
    for (bool running = true; running;) {
      const int n = epoll_wait(set_, events.data(), batch, -1);
      ++calls_.epoll_wait;
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_batch();
        } else if (fd == signals_) {
          running = next_signal(signals_) == SIGUSR1;
          print_counts();
        } else {
          at(fd).blocked ? flush(fd) : serve(fd);
        }
      }
    }
  }

 private:
  connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

  void accept_batch() {
    std::array<int, batch> accepted{};
    std::size_t count = 0;
    while (count < accepts_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      ++calls_.accept4;
      if (fd < 0) break;
      accepted[count++] = fd;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = accepted[i];
      const auto index = static_cast<std::size_t>(fd);
      if (index >= connections_.size()) connections_.resize(index + 1024);
      at(fd) = {};
      ++accepted_;
      accepts_ == 1 ? keep(fd, EPOLLIN) : serve(fd);
    }
  }

  // One recv and one send. Registers a new connection that is still open afterwards.
  void serve(int fd) {
    const ssize_t n = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    ++calls_.recv;
    if (n > 0 && !at(fd).half_closed) {
      return answer_.empty() ? answer(fd, buffer_.data(), static_cast<std::size_t>(n))
                             : answer(fd, answer_.data(), answer_.size());
    }
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return keep(fd, EPOLLIN);
    finish(fd);
  }

  void answer(int fd, const char* text, std::size_t size) {
    ++requests_;
    const ssize_t sent = ::send(fd, text, size, MSG_NOSIGNAL);
    ++calls_.send;
    if (sent < 0 && errno != EAGAIN) return finish(fd);
    at(fd).echoed += size;
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (done == size) return sent_all(fd);
    pending_[fd].assign(text + done, size - done);
    at(fd).blocked = true;
    keep(fd, EPOLLOUT);
  }

  void flush(int fd) {
    std::string& pending = pending_[fd];
    const ssize_t sent = ::send(fd, pending.data(), pending.size(), MSG_NOSIGNAL);
    ++calls_.send;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return finish(fd);
    pending.erase(0, static_cast<std::size_t>(sent));
    if (!pending.empty()) return;
    pending_.erase(fd);
    at(fd).blocked = false;
    watch(set_, fd, EPOLLIN, EPOLL_CTL_MOD);
    ++calls_.epoll_ctl;
    sent_all(fd);
  }

  void sent_all(int fd) {
    connection& self = at(fd);
    if (!short_lived_ || self.echoed < size_ || ending_ == ending::client) return keep(fd, EPOLLIN);
    if (ending_ == ending::lingering) {
      ::shutdown(fd, SHUT_WR);
      ++calls_.shutdown;
      self.half_closed = true;
      return serve(fd);
    }
    if (ending_ == ending::abort_after_fin) {
      const int never = -1;
      setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &never, sizeof never);
      ++calls_.setsockopt;
    } else if (ending_ == ending::abort) {
      const linger reset{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      ++calls_.setsockopt;
    }
    finish(fd);
  }

  void keep(int fd, std::uint32_t events) {
    connection& self = at(fd);
    if (self.registered && !self.blocked) return;
    watch(set_, fd, events, self.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
    ++calls_.epoll_ctl;
    self.registered = true;
  }

  void finish(int fd) {
    if (at(fd).blocked) pending_.erase(fd);
    ::close(fd);
    ++calls_.close;
  }

  void print_counts() const {
    const auto requests = static_cast<double>(requests_ ? requests_ : 1);
    std::printf(R"({"connections": %lu, "requests": %lu)", accepted_, requests_);
    double sum = 0;
    const auto print = [&](const char* name, std::uint64_t count) {
      const double each = static_cast<double>(count) / requests;
      std::printf(R"(, "%s": %.3f)", name, each);
      sum += each;
    };
    print("accept4", calls_.accept4);
    print("recv", calls_.recv);
    print("send", calls_.send);
    print("epoll_wait", calls_.epoll_wait);
    print("epoll_ctl", calls_.epoll_ctl);
    print("shutdown", calls_.shutdown);
    print("setsockopt", calls_.setsockopt);
    print("close", calls_.close);
    std::printf(R"(, "calls": %.3f})", sum);
    std::puts("");
    std::fflush(stdout);
  }

  int listener_;
  bool short_lived_;
  std::string answer_;  // empty: echo
  std::uint64_t size_;
  ending ending_;
  std::size_t accepts_;  // at a time
  int set_ = epoll_create1(EPOLL_CLOEXEC);
  int signals_ = signal_descriptor();
  std::vector<connection> connections_;  // by descriptor
  std::unordered_map<int, std::string> pending_;
  std::array<char, 64 * 1024> buffer_{};
  call_counts calls_;
  std::uint64_t accepted_ = 0;
  std::uint64_t requests_ = 0;  // recv calls that returned bytes
};

}  // namespace

int main(int argc, char** argv) {
  const flags given{argc,
                    argv,
                    help,
                    {{"--listen", "127.0.0.1:0"},
                     {"--mode", "long"},
                     {"--size", "64"},
                     {"--close", "graceful"},
                     {"--answer", "echo"},
                     {"--accept", "batch"}}};
  const auto short_lived = one_of<bool>(given, "--mode", {{"long", false}, {"short", true}});
  const auto how = one_of<ending>(given, "--close",
                                  {{"graceful", ending::graceful},
                                   {"lingering", ending::lingering},
                                   {"client", ending::client},
                                   {"abort-after-fin", ending::abort_after_fin},
                                   {"abort", ending::abort}});
  const auto accepts =
      one_of<std::size_t>(given, "--accept", {{"batch", batch}, {"one", std::size_t{1}}});
  const auto http = one_of<bool>(given, "--answer", {{"echo", false}, {"http", true}});
  const std::uint64_t size = given.number("--size");
  echo_server{listen_on(given.text("--listen")), short_lived, size, how, accepts, http}.run();
}
