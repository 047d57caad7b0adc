#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// The states of RFC 9293, section 3.3.2, in its order.
enum class tcp_state : std::uint8_t {
  listen,
  syn_sent,
  syn_received,  ///< Linux: SYN_RECV; most are request sockets, which have no descriptor yet
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
  time_wait,
  closed,  ///< bound and not connected
};

inline constexpr std::size_t tcp_state_count = 11;

/// "LISTEN", "SYN_RECEIVED", "FIN_WAIT_1", …: the RFC's words. A constant.
constexpr std::string_view to_string(tcp_state state) noexcept {
  constexpr std::array<std::string_view, tcp_state_count> names{
      "LISTEN",     "SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
      "CLOSE_WAIT", "CLOSING",  "LAST_ACK",     "TIME_WAIT",   "CLOSED"};
  return names[static_cast<std::size_t>(state)];
}

/// How many sockets are in each state.
class tcp_state_counts {
 public:
  constexpr std::uint64_t operator[](tcp_state state) const noexcept {
    return counts_[static_cast<std::size_t>(state)];
  }
  constexpr void add(tcp_state state) noexcept { ++counts_[static_cast<std::size_t>(state)]; }
  constexpr void add(const tcp_state_counts& others) noexcept {
    for (std::size_t i = 0; i < tcp_state_count; ++i) counts_[i] += others.counts_[i];
  }
  constexpr std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum;
  }
  friend constexpr bool operator==(const tcp_state_counts&, const tcp_state_counts&) = default;

 private:
  std::array<std::uint64_t, tcp_state_count> counts_{};
};

}  // namespace dwell::inline v0
