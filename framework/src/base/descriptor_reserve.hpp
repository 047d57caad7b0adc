#pragma once

#include <cstdint>

namespace dwell::inline v0 {

/// Descriptors of RLIMIT_NOFILE that a server keeps for what is not a connection: standard streams,
/// listeners, epoll sets, log files, the user's own.
inline constexpr std::uint64_t reserved_descriptors = 64;
inline constexpr std::uint64_t reserved_per_loop = 16;

/// How many connections a server with so many loops lets in under a limit of `descriptors`.
constexpr std::uint64_t connections_within(std::uint64_t descriptors, std::uint64_t loops) {
  const std::uint64_t reserve = reserved_descriptors + reserved_per_loop * loops;
  return descriptors > 2 * reserve ? descriptors - reserve : descriptors / 2;
}

}  // namespace dwell::inline v0
