#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace dwell::inline v0 {

/// Names one connection for as long as the process lives: ids are never reused. A value; what to
/// keep where a `connection&` would not stay valid. Prints as "loop.slot.generation".
struct connection_id {
  std::uint64_t generation = 0;  ///< 0: no connection
  std::uint32_t slot = 0;
  std::uint32_t loop = 0;

  friend constexpr auto operator<=>(const connection_id&, const connection_id&) = default;
};

inline std::string to_string(const connection_id& id) {
  return std::to_string(id.loop) + '.' + std::to_string(id.slot) + '.' +
         std::to_string(id.generation);
}

}  // namespace dwell::inline v0

template <>
struct std::hash<dwell::connection_id> {
  std::size_t operator()(const dwell::connection_id& id) const noexcept {
    return std::hash<std::uint64_t>{}(id.generation * 0x9E3779B97F4A7C15U ^
                                      (std::uint64_t{id.loop} << 32U | id.slot));
  }
};
