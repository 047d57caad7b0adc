#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <algorithm>
#include <cstdint>

namespace dwell::inline v0 {

/// How a loop leads its connections to their end (drain_options has the first two).
struct drain_pace {
  duration first_request{0};
  duration spread{0};
  /// From then on an exchange is the last although the peer has sent more: one that always has
  /// would not leave before it is reset.
  duration patience{0};
};

/// Where a loop is in a drain, and in its walk over the connections. What becomes of a connection
/// is in draining.cpp.
class loop_drain {
 public:
  void announce(std::uint64_t now, duration over) noexcept {
    step_ = step::announcing;
    since_ = now;
    announced_over_ = over;
  }
  void finish(std::uint64_t now, const drain_pace& pace) noexcept {
    step_ = step::finishing;
    since_ = now;
    pace_ = pace;
    walk_again();
  }
  void abort() noexcept {
    step_ = step::aborting;
    walk_again();
  }

  bool is_announcing() const noexcept { return step_ == step::announcing; }
  bool is_finishing() const noexcept { return step_ == step::finishing; }
  bool is_aborting() const noexcept { return step_ == step::aborting; }

  /// Whether the answer that is made now says that it is the last. The share of those that do grows
  /// evenly until all do, so that the clients do not come again elsewhere all at once.
  bool announces(std::uint64_t now) noexcept {
    if (!is_announcing()) return false;
    constexpr std::uint64_t range = 2'147'483'647;
    random_ = random_ * 48'271 % range;  // Park and Miller's: it only has to be even
    return random_ * static_cast<std::uint64_t>(announced_over_.count()) < (now - since_) * range;
  }
  bool insists(std::uint64_t now) const noexcept {
    return is_finishing() && passed(now) >= pace_.patience;
  }
  duration first_request() const noexcept { return pace_.first_request; }

  // ── the walk: slots in order, some in a turn ──
  bool walks() const noexcept { return walking_ && !resting_; }
  std::uint32_t next_slot() const noexcept { return from_; }
  /// So many of `all` slots are due now. None: rest() and go on a little later.
  std::uint32_t slots_due(std::uint64_t now, std::uint32_t all, std::uint32_t most) const noexcept {
    if (!is_finishing() || paced_once_ || passed(now) >= pace_.spread) return most;
    const auto until = static_cast<std::uint64_t>(all) *
                       static_cast<std::uint64_t>(passed(now).count()) /
                       static_cast<std::uint64_t>(pace_.spread.count());
    return until <= from_ ? 0 : std::min(most, static_cast<std::uint32_t>(until) - from_);
  }
  void rest() noexcept { resting_ = true; }
  void walk_on() noexcept { resting_ = false; }
  void walked_to(std::uint32_t slot) noexcept { from_ = slot; }
  /// Somebody has to be looked at again.
  void missed_one() noexcept { missed_ = true; }
  /// At the last slot. True: the walk has to be made again.
  bool end_walk() noexcept {
    walking_ = false;
    paced_once_ = true;
    return missed_;
  }
  void walk_again() noexcept {
    walking_ = true;
    resting_ = missed_ = false;
    from_ = 0;
  }

 private:
  enum class step : std::uint8_t { none, announcing, finishing, aborting };

  duration passed(std::uint64_t now) const noexcept {
    return duration{static_cast<std::int64_t>(now - since_)};
  }

  std::uint64_t since_ = 0;  // the step
  duration announced_over_{0};
  drain_pace pace_;
  std::uint32_t from_ = 0;
  step step_ = step::none;
  bool walking_ = false;
  bool resting_ = false;
  bool missed_ = false;
  bool paced_once_ = false;
  std::uint64_t random_ = 1;
};

}  // namespace dwell::inline v0
