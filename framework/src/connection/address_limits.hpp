#pragma once

#include <dwell/connection/options.hpp>

#include "net/ip_prefix.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace dwell::inline v0 {

struct service;

/// Keeps per_address_limits, for all loops: any thread may call. Each call locks one of 64 parts
/// for a moment.
///
/// Memory: one entry of about 64 bytes for each address (or network) that has a connection open,
/// so never more of them than connections; and, where accepts are limited, 1.5 MiB for the last
/// accepts of up to 65,536 addresses. When more come within a second, those that have the most left
/// are forgotten: each of so many has then had its say once more, and no others are refused for it.
class address_limits {
 public:
  static constexpr std::size_t parts = 64;
  static constexpr std::size_t rates_per_part = 1'024;

  /// `seed`: where an address is kept cannot be foreseen without it.
  address_limits(const per_address_limits& limits, std::uint64_t seed);

  /// A connection of `client` wants in; `now`: the loops' clock. False: over a limit, or no memory.
  bool admit(const socket_address& client, std::uint64_t now) noexcept;
  /// Whether one that was admitted has to leave().
  bool counts(const socket_address& client) const noexcept {
    return limits_.connections != unlimited && client.family() != AF_UNIX;
  }
  void leave(const socket_address& client) noexcept;

  /// How many addresses have a connection open.
  std::size_t size() const;

 private:
  struct hash {
    std::uint64_t seed;
    std::size_t operator()(const ip_address& of) const noexcept;
  };
  /// A token bucket as the time when it is full again (GCRA): of an address that nobody has, 0.
  struct rate {
    ip_address address;
    std::uint64_t full_at = 0;
  };
  static constexpr std::size_t ways = 4;  // places that an address may have
  struct alignas(64) part {
    explicit part(const hash& by) : open{0, by} {}
    mutable std::mutex mutex;
    std::unordered_map<ip_address, std::uint64_t, hash> open;
    std::vector<rate> rates;
  };

  part& part_of(std::size_t hashed) noexcept { return parts_[hashed % parts]; }
  rate& rate_of(part& of, std::size_t hashed, const ip_address& address) noexcept;

  per_address_limits limits_;
  hash hash_;
  std::deque<part> parts_;  // of what cannot be moved
};

/// Null: there are no limits.
std::unique_ptr<address_limits> make_address_limits(const per_address_limits& limits);

/// What was admitted has not become a connection.
void leave_address(const service& of, const socket_address& client) noexcept;

}  // namespace dwell::inline v0
