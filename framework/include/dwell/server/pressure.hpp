#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dwell::inline v0 {

/// What a server does when it has more to hold than it may: the rungs of a ladder, each taken when
/// the one before was not enough. It goes up at once, and down a tenth of a second after the cause
/// has become less.
///
/// | | connections | descriptors | memory | turn |
/// |---|---|---|---|---|
/// | shrink_idle | shrink_idle_at | shrink_idle_at | shrink_idle_at | – |
/// | evict_idle | all taken: one for each new one | EMFILE | evict_idle_at, until it is less | – |
/// | pause_accept | and none is idle | and none is idle | all used | longer than `turn` |
/// | refuse | paused for `patience` | – | paused for `patience` | paused for `patience` |
///
/// server_options::full leaves rungs out: pause_accept neither evicts nor refuses, refuse neither
/// evicts nor pauses.
enum class pressure_level : std::uint8_t {
  normal,
  shrink_idle,   ///< idle deadlines are shorter (pressure_options::idle_share)
  evict_idle,    ///< the longest idle leave
  pause_accept,  ///< new connections wait in the accept queues of all loops
  refuse,        ///< new connections are accepted to be told so: callbacks::refusal, or a reset
};

inline constexpr std::size_t pressure_level_count = 5;

/// The name as written in the enumeration; "unknown" for a value outside it.
constexpr std::string_view to_string(pressure_level value) noexcept {
  switch (value) {
    case pressure_level::normal: return "normal";
    case pressure_level::shrink_idle: return "shrink_idle";
    case pressure_level::evict_idle: return "evict_idle";
    case pressure_level::pause_accept: return "pause_accept";
    case pressure_level::refuse: return "refuse";
  }
  return "unknown";
}

/// Of what there is too much.
enum class pressure_cause : std::uint8_t {
  connections,  ///< of server_options::connections
  descriptors,  ///< of RLIMIT_NOFILE, whoever has opened them
  memory,       ///< of pressure_options::memory
  turn,         ///< a loop's turn against pressure_options::turn
};

inline constexpr std::size_t pressure_cause_count = 4;

/// The name as written in the enumeration; "unknown" for a value outside it.
constexpr std::string_view to_string(pressure_cause value) noexcept {
  switch (value) {
    case pressure_cause::connections: return "connections";
    case pressure_cause::descriptors: return "descriptors";
    case pressure_cause::memory: return "memory";
    case pressure_cause::turn: return "turn";
  }
  return "unknown";
}

/// When a server takes which rung of its ladder, and what it does there. A connection in the middle
/// of an exchange is never closed by any of them.
struct pressure_options {
  /// Bytes that all loops together may hold in buffers, sessions and coroutine frames; at least
  /// 1 MiB. Not what handlers allocate themselves, nor OpenSSL.
  /// Exceeded by what one turn of each loop takes. `unlimited`: what is right depends
  /// on the machine.
  std::uint64_t memory = unlimited;
  /// How long a turn of a loop may take before no more connections are let in, 10 ms or more; `off`
  /// for never. 1 s: clients that are connected wait that long already.
  duration turn = std::chrono::seconds{1};
  /// Percent of connections, descriptors or memory in use from which idle deadlines are shorter, 1
  /// to 100; 100: not before all are. It ends 5 below.
  std::uint32_t shrink_idle_at = 80;
  /// What is left of an idle deadline then, in percent, 1 to 100, but at least a second; up to a
  /// tenth of that less, so that connections which came together do not leave together. 25: 60 s
  /// become 15. 100: nothing shrinks.
  std::uint32_t idle_share = 25;
  /// Percent of memory in use from which the longest idle are closed, 1 to 100. It
  /// ends 5 below.
  std::uint32_t evict_idle_at = 95;
  /// How long accepting may be paused, letting nobody in, until clients are told; `off`: they wait
  /// on. 5 s: whoever waits longer in an accept queue has mostly given up.
  duration patience = std::chrono::seconds{5};
  /// How many connections one loop closes a second because they were idle, or at the end of their
  /// lifetime, at least 1. What is beyond closes later, evenly, and is counted. `unlimited`: a
  /// budget for each turn keeps a loop responsive already; a rate spares those they reconnect to.
  std::uint64_t reap_rate = unlimited;

  friend bool operator==(const pressure_options&, const pressure_options&) = default;
};

/// The ladder as it stands.
struct pressure_status {
  pressure_level level = pressure_level::normal;
  /// What keeps it there; says nothing while normal.
  pressure_cause cause = pressure_cause::connections;
  /// Percent of each limit in use, by pressure_cause; 0 where there is no limit.
  std::array<std::uint32_t, pressure_cause_count> used{};
  /// How often each level was reached from below, by pressure_level.
  std::array<std::uint64_t, pressure_level_count> reached{};
  /// Bytes of buffers, sessions and coroutine frames, to about 64 KiB for each loop.
  std::uint64_t memory = 0;
};

}  // namespace dwell::inline v0
