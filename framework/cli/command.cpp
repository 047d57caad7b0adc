#include "cli/command.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <unistd.h>

std::uint16_t parse_port(const std::string& given) {
  const std::string digits = given.starts_with(':') ? given.substr(1) : given;
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc{} || rest != end || port == 0) {
    throw CLI::ValidationError{"port", '"' + given + "\": use :PORT, 1 to 65535"};
  }
  return port;
}

bool wait_unless_interrupted(std::chrono::milliseconds how_long) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  const timespec time{.tv_sec = how_long.count() / 1000,
                      .tv_nsec = how_long.count() % 1000 * 1'000'000};
  while (true) {
    if (sigtimedwait(&ends, nullptr, &time) >= 0) return false;
    if (errno != EINTR) return true;
  }
}

bool prints_to_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, 1, ',');
  return text;
}

std::string as_seconds(std::chrono::milliseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(time.count()) / 1000);
  return text.data();
}
