#pragma once

#include <cstdint>

namespace dwell::inline v0 {

/// Descriptors of RLIMIT_NOFILE that a server keeps for what is not a connection: standard streams,
/// listeners, epoll sets, log files, the user's own.
inline constexpr std::uint64_t reserved_descriptors = 64;
inline constexpr std::uint64_t reserved_per_loop = 16;

/// In a table of its own a loop has the epoll set, eventfd and timerfd of every other loop, to wake
/// it by; and the process's table has every loop's own set besides.
inline constexpr std::uint64_t reserved_per_other_loop = 4;

/// How many connections each of so many loops lets in, whose tables of their own hold
/// `descriptors`.
constexpr std::uint64_t connections_within_table(std::uint64_t descriptors, std::uint64_t loops) {
  const std::uint64_t reserve =
      reserved_descriptors + reserved_per_loop + reserved_per_other_loop * loops;
  return descriptors > 2 * reserve ? descriptors - reserve : descriptors / 2;
}

/// How many connections a server with so many loops lets in under a limit of `descriptors`.
constexpr std::uint64_t connections_within(std::uint64_t descriptors, std::uint64_t loops) {
  const std::uint64_t reserve = reserved_descriptors + reserved_per_loop * loops;
  return descriptors > 2 * reserve ? descriptors - reserve : descriptors / 2;
}

}  // namespace dwell::inline v0
