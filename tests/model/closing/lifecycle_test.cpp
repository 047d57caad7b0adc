// The table against rules that were written down apart from it, and against random histories.
#include "closing/lifecycle.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace dwell {
namespace {

using state = lifecycle_state;
using event = lifecycle_event;
using action = lifecycle_action;

std::vector<state> all_states() {
  std::vector<state> made;
  for (std::size_t i = 0; i < lifecycle_state_count; ++i) made.push_back(static_cast<state>(i));
  return made;
}

std::vector<event> all_events() {
  std::vector<event> made;
  for (std::size_t i = 0; i < lifecycle_event_count; ++i) made.push_back(static_cast<event>(i));
  return made;
}

bool releases(action todo) {
  return todo == action::release || todo == action::release_without_time_wait ||
         todo == action::reset;
}

/// The two FINs and the decision, which is all that the states stand for.
struct connection_model {
  bool fin_in = false;
  bool fin_out = false;
  bool decided = false;
  enum class tail { none, flushing, settling, lingering, awaiting } doing = tail::none;
  bool released = false;

  /// Null where the table has nothing to say.
  std::optional<action> on(event what) {
    if (released) return std::nullopt;
    const auto end = [this](action how) {
      released = true;
      return how;
    };
    switch (what) {
      case event::peer_lost: return end(action::release);
      case event::abort: return end(action::reset);
      case event::peer_fin:
        if (fin_in) return std::nullopt;
        fin_in = true;
        if (!decided) return fin_out ? end(action::release) : action::tell_handler;
        if (doing == tail::flushing) return action::none;
        return end(action::release);
      case event::half_close:
        if (decided || fin_out) return std::nullopt;
        if (fin_in) return end(action::release);
        fin_out = true;
        return action::send_fin;
      case event::close:
        if (decided) return std::nullopt;
        decided = true;
        if (fin_out) {
          doing = tail::lingering;
          return action::discard;
        }
        doing = tail::flushing;
        return action::flush;
      case event::deadline:
        if (!decided) return std::nullopt;
        return end(doing == tail::flushing ? action::reset : action::release_without_time_wait);
      case event::flushed_direct:
        if (doing == tail::settling) return end(action::release_without_time_wait);
        if (doing != tail::flushing) return std::nullopt;
        return end(action::release);
      case event::flushed_unsettled:
        if (doing != tail::flushing) return std::nullopt;
        if (fin_in) return end(action::release);
        doing = tail::settling;
        return action::poll_unacknowledged;
      case event::flushed_lingering:
        if (doing != tail::flushing && doing != tail::settling) return std::nullopt;
        if (fin_in) return end(action::release);
        doing = tail::lingering;
        fin_out = true;
        return action::send_fin_and_discard;
      case event::flushed_announced:
        if (doing != tail::flushing) return std::nullopt;
        if (fin_in) return end(action::release);
        doing = tail::awaiting;
        return action::discard;
    }
    return std::nullopt;
  }

  state named() const {
    if (released) return state::closed;
    if (!decided) return fin_in ? state::peer_closed : fin_out ? state::send_closed : state::open;
    switch (doing) {
      case tail::flushing: return fin_in ? state::flushing_to_peer_closed : state::flushing;
      case tail::settling: return state::settling;
      case tail::lingering: return state::lingering;
      case tail::awaiting: return state::awaiting_peer;
      case tail::none: break;
    }
    return state::open;
  }
};

TEST(lifecycle, agrees_with_the_model_along_every_history_of_seven_events) {
  std::set<state> seen;
  const auto walk = [&seen](const auto& self, connection_model model, state at, int left) -> void {
    seen.insert(at);
    if (left == 0) return;
    for (const event what : all_events()) {
      connection_model next = model;
      const auto expected = next.on(what);
      const lifecycle_step step = next_step(at, what);
      ASSERT_EQ(to_string(step.next), to_string(next.named()))
          << to_string(at) << " × " << to_string(what);
      ASSERT_EQ(step.action, expected.value_or(action::none))
          << to_string(at) << " × " << to_string(what);
      if (step.next != at || releases(step.action)) self(self, next, step.next, left - 1);
    }
  };
  walk(walk, {}, state::open, 7);
  EXPECT_EQ(seen.size(), lifecycle_state_count);  // all are reached
}

TEST(lifecycle, random_histories_release_exactly_once_and_end_by_three_events_at_most) {
  std::mt19937_64 random{20240117};
  for (int history = 0; history < 100'000; ++history) {
    state at = state::open;
    int released = 0;
    std::string told;
    for (int i = 0; i < 12; ++i) {
      const auto what = static_cast<event>(random() % lifecycle_event_count);
      const lifecycle_step step = next_step(at, what);
      told += std::string{to_string(what)} + ' ';
      released += releases(step.action) ? 1 : 0;
      ASSERT_EQ(step.next == state::closed, released == 1) << told;
      at = step.next;
    }
    // However it stands: deciding, flushing and a deadline end it.
    for (const event what : {event::close, event::flushed_lingering, event::deadline}) {
      const lifecycle_step step = next_step(at, what);
      released += releases(step.action) ? 1 : 0;
      at = step.next;
    }
    ASSERT_EQ(at, state::closed) << told;
    ASSERT_EQ(released, 1) << told;
  }
}

TEST(lifecycle, never_sends_a_fin_twice_nor_after_a_release) {
  std::mt19937_64 random{77};
  for (int history = 0; history < 100'000; ++history) {
    state at = state::open;
    int fins = 0;
    while (at != state::closed) {
      const lifecycle_step step =
          next_step(at, static_cast<event>(random() % lifecycle_event_count));
      if (step.action == action::send_fin || step.action == action::send_fin_and_discard) ++fins;
      at = step.next;
    }
    ASSERT_LE(fins, 1);
  }
}

TEST(lifecycle, closed_is_for_ever) {
  for (const event what : all_events()) {
    EXPECT_EQ(next_step(state::closed, what).next, state::closed);
    EXPECT_EQ(next_step(state::closed, what).action, action::none);
  }
}

TEST(lifecycle, every_state_and_event_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (const state each : all_states()) names.insert(to_string(each));
  for (const event each : all_events()) names.insert(to_string(each));
  // `close` and the like name events only; nothing is shared.
  EXPECT_EQ(names.size(), lifecycle_state_count + lifecycle_event_count);
}

}  // namespace
}  // namespace dwell
