#include "cli/trace_instance.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <stdexcept>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace {

constexpr const char* event = "/events/sock/inet_sock_set_state";

/// The kernel's names (include/trace/events/sock.h).
std::optional<dwell::tcp_state> state_named(std::string_view name) {
  using dwell::tcp_state;
  constexpr std::array<std::pair<std::string_view, tcp_state>, 12> names{{
      {"TCP_ESTABLISHED", tcp_state::established},
      {"TCP_SYN_SENT", tcp_state::syn_sent},
      {"TCP_SYN_RECV", tcp_state::syn_received},
      {"TCP_NEW_SYN_RECV", tcp_state::syn_received},
      {"TCP_FIN_WAIT1", tcp_state::fin_wait_1},
      {"TCP_FIN_WAIT2", tcp_state::fin_wait_2},
      {"TCP_TIME_WAIT", tcp_state::time_wait},
      {"TCP_CLOSE", tcp_state::closed},
      {"TCP_CLOSE_WAIT", tcp_state::close_wait},
      {"TCP_LAST_ACK", tcp_state::last_ack},
      {"TCP_LISTEN", tcp_state::listen},
      {"TCP_CLOSING", tcp_state::closing},
  }};
  const auto found = std::ranges::find(names, name, [](const auto& one) { return one.first; });
  if (found == names.end()) return std::nullopt;
  return found->second;
}

/// What follows " name=" up to the next space.
std::string_view field(std::string_view line, const std::string& name) {
  const std::size_t at = line.find(' ' + name + '=');
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + name.size() + 2);
  return line.substr(0, line.find_first_of(" \n"));
}

dwell::endpoint end_of(std::string_view line, char which) {
  const bool v6 = field(line, "family") == "AF_INET6";
  std::string_view address = field(line, std::string{which} + (v6 ? "addrv6" : "addr"));
  constexpr std::string_view mapped = "::ffff:";
  if (address.starts_with(mapped)) address.remove_prefix(mapped.size());
  dwell::endpoint end{.address = std::string{address}};
  const std::string_view port = field(line, std::string{which} + "port");
  std::from_chars(port.data(), port.data() + port.size(), end.port);
  return end;
}

std::string tracefs() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (::access((std::string{root} + "/instances").c_str(), F_OK) == 0) return root;
  }
  throw std::runtime_error{::geteuid() == 0 ? "tracefs is not mounted: mount -t tracefs tracefs "
                                              "/sys/kernel/tracing (the kernel needs "
                                              "CONFIG_TRACING)"
                                            : "tracefs is not to be seen: run as root; if it is "
                                              "not mounted, mount -t tracefs tracefs "
                                              "/sys/kernel/tracing"};
}

/// The word before the title of a line.
double time_before(const std::string& line, std::size_t title) {
  const std::size_t begin = line.rfind(' ', title) + 1;
  double time = 0;
  std::from_chars(line.data() + begin, line.data() + title, time);
  return time;
}

std::string error_text() { return std::strerror(errno); }

}  // namespace

std::optional<transition> parse_transition(const std::string& line) {
  constexpr std::string_view title = ": inet_sock_set_state:";
  const std::size_t at = line.find(title);
  if (at == std::string::npos) return std::nullopt;
  const auto from = state_named(field(line, "oldstate"));
  const auto to = state_named(field(line, "newstate"));
  if (!from || !to) return std::nullopt;
  return transition{.time = time_before(line, at),
                    .local = end_of(line, 's'),
                    .remote = end_of(line, 'd'),
                    .from = *from,
                    .to = *to};
}

std::optional<double> parse_mark(const std::string& line) {
  const std::size_t at = line.find(": tracing_mark_write: dwell");
  if (at == std::string::npos) return std::nullopt;
  return time_before(line, at);
}

trace_instance::trace_instance(std::uint16_t port)
    : folder_{tracefs() + "/instances/dwell-" + std::to_string(::getpid())} {
  if (::mkdir(folder_.c_str(), 0700) != 0) {
    const std::string why = error_text();
    throw std::runtime_error{folder_ + ": " + why +
                             "; making an instance of tracefs needs root outside of containers"};
  }
  try {
    const std::string number = std::to_string(port);
    write("/buffer_percent", "0");  // wake at the first event
    write(std::string{event} + "/filter",
          "protocol == 6 && (sport == " + number + " || dport == " + number + ")");
    write(std::string{event} + "/enable", "1");
    pipe_ = ::open((folder_ + "/trace_pipe").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (pipe_ < 0) throw std::runtime_error{folder_ + "/trace_pipe: " + error_text()};
  } catch (...) {
    remove();
    throw;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_ = ::signalfd(-1, &ends, SFD_CLOEXEC);
}

trace_instance::~trace_instance() { remove(); }

void trace_instance::remove() noexcept {
  if (pipe_ >= 0) ::close(pipe_);  // an open pipe keeps the instance
  if (signals_ >= 0) ::close(signals_);
  ::rmdir(folder_.c_str());
}

void trace_instance::write(const std::string& file, const std::string& text) const {
  std::ofstream out{folder_ + file};
  if (out << text << std::flush) return;
  throw std::runtime_error{folder_ + file + ": " + error_text() +
                           "; sock:inet_sock_set_state is in kernels from 4.16 on"};
}

void trace_instance::mark() const { write("/trace_marker", "dwell\n"); }

std::optional<std::vector<std::string>> trace_instance::wait(
    std::optional<std::chrono::milliseconds> how_long) {
  std::array<pollfd, 2> watched{{{.fd = pipe_, .events = POLLIN, .revents = 0},
                                 {.fd = signals_, .events = POLLIN, .revents = 0}}};
  std::array<char, 16'384> buffer;
  while (true) {
    const ssize_t count = ::read(pipe_, buffer.data(), buffer.size());
    if (count > 0) {
      unfinished_.append(buffer.data(), static_cast<std::size_t>(count));
      break;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      throw std::runtime_error{folder_ + "/trace_pipe: " + error_text()};
    }
    const int ready =
        ::poll(watched.data(), watched.size(), how_long ? static_cast<int>(how_long->count()) : -1);
    if (watched[1].revents != 0) return std::nullopt;
    if (ready == 0) break;
  }
  std::vector<std::string> lines;
  for (std::size_t end = 0; (end = unfinished_.find('\n')) != std::string::npos;) {
    lines.push_back(unfinished_.substr(0, end));
    unfinished_.erase(0, end + 1);
  }
  return lines;
}
