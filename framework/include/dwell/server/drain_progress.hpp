#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::inline v0 {

/// The steps of a drain, in their order; none is gone back to.
enum class drain_step : std::uint8_t {
  none,  ///< the server does not drain
  /// For drain_options::delay: not ready any more, still accepting; answers announce the end.
  announcing,
  accepting_last,  ///< what waits in the accept queues comes in, then the listeners close
  finishing,       ///< idle connections leave, the others after their exchange
  aborting,        ///< drain_options::deadline has passed, or stop(): what is left is reset
  ended,           ///< no connection is left, and no handler's coroutine
};
inline constexpr std::size_t drain_step_count = 6;

constexpr std::string_view to_string(drain_step step) noexcept {
  constexpr std::string_view names[drain_step_count] = {"none",      "announcing", "accepting_last",
                                                        "finishing", "aborting",   "ended"};
  return names[static_cast<std::size_t>(step)];
}

/// How far a drain is.
struct drain_progress {
  drain_step step = drain_step::none;
  std::uint64_t at_start = 0;     ///< connections that were open when it began
  std::uint64_t connections = 0;  ///< that are open now
  /// Connections closed by the drain whose peer sent something while our FIN was on its way: it was
  /// not read, and the peer may ask again elsewhere. Since the drain began.
  std::uint64_t crossed = 0;
  std::uint64_t aborted = 0;  ///< connections that were reset since the step `aborting`
  duration elapsed{0};        ///< since the drain began; of one that has ended: how long it took
  /// Until the next step comes at the latest: what is left of the delay, or of the deadline.
  /// nullopt: nothing bounds it, or nothing comes.
  std::optional<duration> left;
};

}  // namespace dwell::inline v0
