#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace dwell {

/// What TCP_INFO says.
struct tcp_facts {
  std::uint8_t state = 0;  ///< TCP_ESTABLISHED … of <netinet/tcp.h>
  std::chrono::microseconds rtt{};
  std::uint32_t send_window = 0;  ///< bytes the peer has room for, beyond what it acknowledged
};

/// Asks the kernel (tcp(7), TCP_INFO). Nothing when it does not know the descriptor as TCP.
std::optional<tcp_facts> read_tcp_facts(int descriptor) noexcept;

}  // namespace dwell
