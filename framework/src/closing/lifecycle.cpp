#include "closing/lifecycle.hpp"

namespace dwell {
namespace {

using state = lifecycle_state;
using event = lifecycle_event;
using action = lifecycle_action;
using lifecycle_table =
    std::array<std::array<lifecycle_step, lifecycle_event_count>, lifecycle_state_count>;

constexpr std::size_t at(state s) { return static_cast<std::size_t>(s); }
constexpr std::size_t at(event e) { return static_cast<std::size_t>(e); }

constexpr lifecycle_table make_table() {
  lifecycle_table table{};
  for (std::size_t s = 0; s < lifecycle_state_count; ++s) {
    for (auto& step : table[s]) step = {static_cast<state>(s), action::none};
  }
  const auto on = [&table](state from, event what, state next, action todo) {
    table[at(from)][at(what)] = {next, todo};
  };

  // snippet: table
  on(state::open, event::peer_fin, state::peer_closed, action::tell_handler);
  on(state::open, event::half_close, state::send_closed, action::send_fin);
  on(state::open, event::close, state::flushing, action::flush);

  // A half-close after the peer's FIN leaves nothing to wait for.
  on(state::peer_closed, event::half_close, state::closed, action::release);
  on(state::peer_closed, event::close, state::flushing_to_peer_closed, action::flush);

  on(state::send_closed, event::peer_fin, state::closed, action::release);
  on(state::send_closed, event::close, state::lingering, action::discard);

  on(state::flushing, event::peer_fin, state::flushing_to_peer_closed, action::none);
  on(state::flushing, event::flushed_direct, state::closed, action::release);
  on(state::flushing, event::flushed_unsettled, state::settling, action::poll_unacknowledged);
  on(state::flushing, event::flushed_lingering, state::lingering, action::send_fin_and_discard);
  on(state::flushing, event::flushed_announced, state::awaiting_peer, action::discard);

  // The passive close: TIME_WAIT is the peer's, whatever was planned.
  for (const event flushed : {event::flushed_direct, event::flushed_unsettled,
                              event::flushed_lingering, event::flushed_announced}) {
    on(state::flushing_to_peer_closed, flushed, state::closed, action::release);
  }

  on(state::settling, event::peer_fin, state::closed, action::release);
  on(state::settling, event::flushed_direct, state::closed, action::release_without_time_wait);
  on(state::settling, event::flushed_lingering, state::lingering, action::send_fin_and_discard);
  on(state::settling, event::deadline, state::closed, action::release_without_time_wait);

  on(state::lingering, event::peer_fin, state::closed, action::release);
  on(state::lingering, event::deadline, state::closed, action::release_without_time_wait);

  on(state::awaiting_peer, event::peer_fin, state::closed, action::release);
  on(state::awaiting_peer, event::deadline, state::closed, action::release_without_time_wait);

  // Unsent output is lost at the deadline, so the peer must not take what it has for the whole.
  on(state::flushing, event::deadline, state::closed, action::reset);
  on(state::flushing_to_peer_closed, event::deadline, state::closed, action::reset);
  // end snippet

  for (std::size_t s = 0; s < at(state::closed); ++s) {
    on(static_cast<state>(s), event::abort, state::closed, action::reset);
    on(static_cast<state>(s), event::peer_lost, state::closed, action::release);
  }
  return table;
}

constexpr lifecycle_table table = make_table();

constexpr bool releases(action todo) {
  return todo == action::release || todo == action::release_without_time_wait ||
         todo == action::reset;
}

// Closed is reached exactly when the descriptor is released, and nothing leads out of it.
constexpr bool closes_exactly_when_released() {
  for (std::size_t s = 0; s < lifecycle_state_count; ++s) {
    for (const auto& step : table[s]) {
      const bool arrives = s != at(state::closed) && step.next == state::closed;
      if (arrives != releases(step.action)) return false;
      if (s == at(state::closed) && step.next != state::closed) return false;
    }
  }
  return true;
}
static_assert(closes_exactly_when_released());

// Once the end is decided, a deadline, an abort and a lost peer each finish it.
constexpr bool every_ending_ends() {
  for (std::size_t s = at(state::flushing); s < at(state::closed); ++s) {
    for (const event what : {event::deadline, event::abort, event::peer_lost}) {
      if (table[s][at(what)].next != state::closed) return false;
    }
  }
  return true;
}
static_assert(every_ending_ends());

}  // namespace

lifecycle_step next_step(lifecycle_state from, lifecycle_event what) noexcept {
  return table[at(from)][at(what)];
}

std::string_view to_string(lifecycle_state which) noexcept {
  constexpr std::string_view names[lifecycle_state_count] = {
      "open",     "peer_closed", "send_closed",   "flushing", "flushing_to_peer_closed",
      "settling", "lingering",   "awaiting_peer", "closed"};
  return names[at(which)];
}

std::string_view to_string(lifecycle_event which) noexcept {
  constexpr std::string_view names[lifecycle_event_count] = {"peer_fin",
                                                             "peer_lost",
                                                             "half_close",
                                                             "close",
                                                             "abort",
                                                             "flushed_direct",
                                                             "flushed_unsettled",
                                                             "flushed_lingering",
                                                             "flushed_announced",
                                                             "deadline"};
  return names[at(which)];
}

}  // namespace dwell
