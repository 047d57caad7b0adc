#include "crossing.hpp"

#include "interrupt.hpp"
#include "target.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

struct outcome {
  std::size_t received = 0;
  bool reset = false;
};

// Reads what is there. False at the end of the stream, whichever way it ended.
bool take(int fd, outcome& got) {
  static std::array<char, 16 * 1024> buffer;  // small: read no further than wanted
  const ssize_t n = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 0) got.received += static_cast<std::size_t>(n);
  if (n < 0 && errno != EAGAIN && errno != EINTR) got.reset = true;
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

// Sends all of `size` and reads no more than it must to get there: the reply stays in flight.
void send_request(int fd, std::size_t size, outcome& got, nanoseconds deadline) {
  const std::string request(size, 'x');
  std::size_t sent = 0;
  while (sent < size && now() < deadline) {
    const ssize_t n = send(fd, request.data() + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN) return;
    if (n > 0) continue;
    pollfd wait{fd, POLLOUT, 0};
    if (poll(&wait, 1, 20) == 0 && !take(fd, got)) return;
  }
}

void read_until(int fd, std::size_t wanted, outcome& got, nanoseconds deadline) {
  while (got.received < wanted && now() < deadline && !interrupted() && take(fd, got)) {
    pollfd wait{fd, POLLIN, 0};
    poll(&wait, 1, 100);
  }
}

outcome try_once(const target& to, const crossing_options& options, std::size_t read_before) {
  const int fd = connect_now(to);
  if (fd < 0) throw std::runtime_error(std::string("connect: ") + std::strerror(-fd));
  const nanoseconds deadline = now() + options.timeout;
  outcome got;
  send_request(fd, options.size, got, deadline);
  read_until(fd, read_before, got, deadline);
  std::this_thread::sleep_for(std::chrono::nanoseconds{options.pause});
  const std::string extra(options.extra, 'y');
  send(fd, extra.data(), extra.size(), MSG_NOSIGNAL);
  read_until(fd, SIZE_MAX, got, deadline);
  close(fd);
  return got;
}

}  // namespace

nlohmann::ordered_json run_crossing(const crossing_options& options) {
  const target to = parse_target(options.to);
  std::size_t whole = 0, resets = 0, tries = 0, least = SIZE_MAX;
  for (; tries < options.tries && !interrupted(); ++tries) {
    const outcome got = try_once(to, options, options.size / options.tries * tries);
    if (got.received >= options.size) ++whole;
    if (got.reset) ++resets;
    least = std::min(least, got.received);
  }
  nlohmann::ordered_json result;
  result["command"] = "crossing";
  result["reply_bytes"] = options.size;
  result["extra_bytes"] = options.extra;
  result["interrupted"] = interrupted();
  result["tries"] = tries;
  result["whole"] = whole;
  result["resets"] = resets;
  result["least_received"] = tries ? least : 0;
  return result;
}
