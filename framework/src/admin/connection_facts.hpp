#pragma once

#include <dwell/closing/close_reason.hpp>
#include <dwell/connection/connection_id.hpp>
#include <dwell/deadline/deadlines.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

class connection;

enum class connection_state : std::uint8_t {
  open,
  peer_closed,  ///< the peer's FIN has come, read or not; ours has not left
  held,         ///< the same, and the watchdog has named it
  closing,      ///< its end is decided: output is flushed, or the peer's FIN awaited
};

inline constexpr std::size_t connection_state_count = 4;

constexpr std::string_view to_string(connection_state state) noexcept {
  constexpr std::string_view names[connection_state_count] = {"open", "peer_closed", "held",
                                                              "closing"};
  return names[static_cast<std::size_t>(state)];
}

/// What is shown of one connection, as it was at `now`; all but the text of its peer. The service's
/// name lives as long as its server.
struct connection_facts {
  connection_id id;
  std::string_view service;
  connection_state state = connection_state::open;
  std::optional<close_reason> reason;
  dwell::phase phase = dwell::phase::idle;
  duration now{0};  ///< the loops' clock
  duration age{0};
  duration idle{0};
  std::optional<duration> time_left;  ///< nullopt: no deadline counts
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t queued = 0;
  std::uint64_t exchanges = 0;
  std::string_view tls;  ///< version, OpenSSL's for as long as the process runs; empty: none
};

/// On the connection's loop.
connection_facts facts_of(const connection& peer) noexcept;

}  // namespace dwell::inline v0
