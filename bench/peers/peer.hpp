#pragma once
// What the bare peers share: a listener, the ready line, and the calls they count.

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

constexpr int usage_error = 2;

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

// Flags of the form `--name value`, each of which must be one of `known`.
class flags {
 public:
  flags(int argc, char** argv, const char* help, std::map<std::string, std::string> known)
      : values_(std::move(known)) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument = argv[i];
      if (argument == "--help") {
        std::fputs(help, stdout);
        std::exit(0);
      }
      const auto found = values_.find(std::string{argument});
      if (found == values_.end() || i + 1 == argc) {
        std::fprintf(stderr, "%s: unknown flag or missing value; see --help\n", argv[i]);
        std::exit(usage_error);
      }
      found->second = argv[++i];
    }
  }

  const std::string& text(const std::string& name) const { return values_.at(name); }

  std::uint64_t number(const std::string& name) const {
    const std::string& value = text(name);
    std::uint64_t result = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc{} || end != value.data() + value.size()) {
      std::fprintf(stderr, "%s %s: not a whole number\n", name.c_str(), value.c_str());
      std::exit(usage_error);
    }
    return result;
  }

 private:
  std::map<std::string, std::string> values_;
};

// The value of a flag that takes one of a few words.
template <typename Value>
Value one_of(const flags& given, const std::string& name,
             const std::map<std::string, Value>& choices) {
  const auto found = choices.find(given.text(name));
  if (found != choices.end()) return found->second;
  std::string known;
  for (const auto& [choice, value] : choices) known += " " + choice;
  std::fprintf(stderr, "%s %s: expected one of%s\n", name.c_str(), given.text(name).c_str(),
               known.c_str());
  std::exit(usage_error);
}

// Listens on `ADDR:PORT` (numeric, IPv6 in brackets) and prints the ready line.
inline int listen_on(const std::string& where) {
  const auto colon = where.rfind(':');
  if (colon == std::string::npos) {
    std::fprintf(stderr, "--listen %s: expected ADDR:PORT\n", where.c_str());
    std::exit(usage_error);
  }
  std::string host = where.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* address = nullptr;
  if (const int error = getaddrinfo(host.c_str(), where.c_str() + colon + 1, &hints, &address)) {
    std::fprintf(stderr, "--listen %s: %s\n", where.c_str(), gai_strerror(error));
    std::exit(usage_error);
  }
  const int listener = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) die("socket");
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (bind(listener, address->ai_addr, address->ai_addrlen) < 0) die("bind " + where);
  if (listen(listener, SOMAXCONN) < 0) die("listen " + where);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &length);
  std::array<char, NI_MAXSERV> port{};
  getnameinfo(reinterpret_cast<sockaddr*>(&bound), length, nullptr, 0, port.data(), port.size(),
              NI_NUMERICSERV);
  freeaddrinfo(address);
  std::printf("listening on %s:%s\n", where.substr(0, colon).c_str(), port.data());
  std::fflush(stdout);
  return listener;
}

// SIGINT, SIGTERM and SIGUSR1 as a descriptor, so that no signal can slip past epoll_wait.
inline int signal_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int descriptor = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) die("signalfd");
  return descriptor;
}

inline int next_signal(int descriptor) {
  signalfd_siginfo info{};
  return read(descriptor, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

inline void watch(int set, int descriptor, std::uint32_t events, int operation = EPOLL_CTL_ADD) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  if (epoll_ctl(set, operation, descriptor, &event) < 0) die("epoll_ctl");
}
