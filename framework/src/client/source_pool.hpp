#pragma once

#include "net/socket_address.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// The local addresses that outbound connections take in turn; empty when the kernel chooses.
class source_pool {
 public:
  source_pool() noexcept = default;
  /// "10.0.0.7", "10.0.0.0/24", "fd00::/120"; "" is the empty pool. Throws std::invalid_argument
  /// naming the text and what was expected.
  explicit source_pool(std::string_view text);

  /// Up to 2^32 - 1 addresses.
  std::uint32_t size() const noexcept { return size_; }
  int family() const noexcept { return first_.family(); }
  /// The n-th, counted round; only of a pool that has any.
  raw_address at(std::uint32_t n) const noexcept;

 private:
  raw_address first_;
  std::uint32_t size_ = 0;
};

}  // namespace dwell::inline v0
