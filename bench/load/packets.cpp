#include "packets.hpp"

#include <fstream>
#include <sstream>

namespace load {

std::optional<traffic> traffic_of(const std::string& interface) {
  std::ifstream file{"/proc/thread-self/net/dev"};
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(' ');
    if (line.substr(start, colon - start) != interface) continue;
    // bytes packets errs drop fifo frame compressed multicast, for what came in, then what went
    std::istringstream fields{line.substr(colon + 1)};
    traffic seen;
    std::uint64_t skipped = 0;
    fields >> seen.bytes_received >> seen.packets_received;
    for (int i = 0; i < 6; ++i) fields >> skipped;
    fields >> seen.bytes_sent >> seen.packets_sent;
    return seen;
  }
  return std::nullopt;
}

}  // namespace load
