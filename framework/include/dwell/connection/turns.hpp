#pragma once

#include <array>
#include <cstdint>

namespace dwell::inline v0 {

/// Milliseconds that a turn of a loop takes at most, for server_counts::turns. During a turn a loop
/// serves what is ready, and nothing that comes meanwhile: 100 ms and more are a handler that
/// blocks.
inline constexpr std::array<std::uint16_t, 9> turn_bounds{1, 2, 5, 10, 20, 50, 100, 1'000, 10'000};

}  // namespace dwell::inline v0
