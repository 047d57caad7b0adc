#include "origin.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace load {

std::string command_line() {
  std::ifstream from{"/proc/self/cmdline"};
  std::string result;
  for (std::string argument; std::getline(from, argument, '\0');) {
    if (result.empty()) {
      result = std::filesystem::path{argument}.filename();
      continue;
    }
    result += ' ';
    const bool plain = argument.find_first_of(" \t\n\"'\\$&|;<>()*?[]#~`!{}") == std::string::npos;
    if (plain && !argument.empty()) {
      result += argument;
      continue;
    }
    result += '\'';
    for (const char c : argument) c == '\'' ? result += "'\\''" : result += c;
    result += '\'';
  }
  return result;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text, length};
}

}  // namespace load
