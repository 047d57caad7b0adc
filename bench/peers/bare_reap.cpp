// The yardstick for reaping: a bare loop of the system calls that closing an idle connection takes.
//
// Accepts --connections, echoes what they send, and --after seconds later closes them all in one
// loop that does nothing else.

#include "peer.hpp"

#include <chrono>
#include <sys/resource.h>
#include <vector>

namespace {

constexpr const char* help =
    R"(Bare loop of the system calls of a reap, timed: what the framework's reaping is measured against.

  --listen ADDR:PORT    default 127.0.0.1:0 (any free port); prints "listening on ADDR:PORT"
  --connections N       closed in one go once so many are open (default 15000)
  --after SECONDS       after the last connection or first byte of one (default 2)
  --form direct|lingering|abort-after-fin|abort
                        direct:          recv, shutdown(SHUT_WR), recv, close
                        lingering:       recv, shutdown(SHUT_WR); then epoll_wait, recv (EOF), close
                        abort-after-fin: recv, shutdown(SHUT_WR), recv, TCP_LINGER2 = -1, close
                        abort:           recv, SO_LINGER of 0, close

Ends by itself and prints the wall and CPU time of one close as one JSON line.

Example: bare_reap --listen 127.0.0.1:7777 --connections 15000 --after 10
)";

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::array<char, 64 * 1024> buffer;

// Echoes until `count` connections are open and none has opened, or sent its first byte, for
// `after` seconds. A connection that pings all the time is no obstacle, and not among those
// returned when it came last.
std::vector<int> gather(int set, int listener, std::size_t count, double after) {
  std::vector<int> open;
  std::vector<bool> has_sent;
  std::array<epoll_event, 128> events{};
  double last_news = now();
  while (open.size() < count || now() - last_news < after) {
    const int n = epoll_wait(set, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        watch(set, accepted, EPOLLIN);
        if (open.size() < count) open.push_back(accepted);
        has_sent.resize(static_cast<std::size_t>(accepted) + 1);
        last_news = now();
        continue;
      }
      const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
      if (size <= 0) {
        std::fprintf(stderr, "a client left before the reaping began\n");
        std::exit(1);
      }
      send(fd, buffer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
      if (!has_sent[static_cast<std::size_t>(fd)]) last_news = now();
      has_sent[static_cast<std::size_t>(fd)] = true;
    }
  }
  return open;
}

void look(int fd) { recv(fd, buffer.data(), buffer.size(), 0); }

void close_direct(const std::vector<int>& open, bool without_time_wait) {
  const int never = -1;
  for (const int fd : open) {
    look(fd);
    shutdown(fd, SHUT_WR);
    look(fd);
    if (without_time_wait) setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &never, sizeof never);
    close(fd);
  }
}

void close_with_reset(const std::vector<int>& open) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (const int fd : open) {
    look(fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
  }
}

void close_lingering(int set, const std::vector<int>& open) {
  for (const int fd : open) {
    look(fd);
    shutdown(fd, SHUT_WR);
  }
  std::array<epoll_event, 128> events{};
  for (std::size_t left = open.size(); left > 0;) {
    const int n = epoll_wait(set, events.data(), static_cast<int>(events.size()), 1000);
    if (n <= 0) die("a client did not answer our FIN");
    for (int i = 0; i < n; ++i) {
      look(events[static_cast<std::size_t>(i)].data.fd);
      close(events[static_cast<std::size_t>(i)].data.fd);
      --left;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const flags given{argc,
                    argv,
                    help,
                    {{"--listen", "127.0.0.1:0"},
                     {"--connections", "15000"},
                     {"--after", "2"},
                     {"--form", "direct"}}};
  const std::string form = given.text("--form");
  if (form != "direct" && form != "lingering" && form != "abort-after-fin" && form != "abort") {
    std::fprintf(stderr, "--form %s: expected direct, lingering, abort-after-fin or abort\n",
                 form.c_str());
    return usage_error;
  }
  const std::size_t count = given.number("--connections");
  const auto after = static_cast<double>(given.number("--after"));
  const int set = epoll_create1(EPOLL_CLOEXEC);
  const int listener = listen_on(given.text("--listen"));
  watch(set, listener, EPOLLIN);
  const std::vector<int> open = gather(set, listener, count, after);
  close(listener);

  const double started = now();
  const double cpu_started = cpu_seconds();
  if (form == "lingering") {
    close_lingering(set, open);
  } else if (form == "abort") {
    close_with_reset(open);
  } else {
    close_direct(open, form == "abort-after-fin");
  }
  const double wall = now() - started;
  const double cpu = cpu_seconds() - cpu_started;

  const auto closes = static_cast<double>(open.size());
  std::printf(
      "{\"closes\": %zu, \"wall_us_per_close\": %.3f, \"cpu_us_per_close\": %.3f, "
      "\"closes_per_second\": %.0f}\n",
      open.size(), wall * 1e6 / closes, cpu * 1e6 / closes, closes / wall);
}
