#pragma once

#include <dwell/server/pressure.hpp>

#include "connection/loop_owner.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

namespace dwell::inline v0 {

/// Which rung of the ladder holds, from what the loops report. Any thread may call any member; what
/// is asked for each connection or deadline costs a load or an atomic addition, and only what may
/// take the ladder up takes its lock.
///
/// It goes up where something is reported, and down only in tick(), so that it does not flutter.
class pressure_ladder {
 public:
  struct step {
    pressure_level from;
    pressure_level to;
  };

  pressure_ladder(const pressure_options& options, when_full full,
                  std::uint64_t connections) noexcept;

  // ── places ──
  std::uint64_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  void set_limit(std::uint64_t connections) noexcept;
  void set_descriptors(std::uint64_t limit) noexcept;
  std::uint64_t taken() const noexcept { return taken_.load(); }
  /// Takes a place. False: all are taken.
  bool take() noexcept;
  void take_over_limit() noexcept { taken_.fetch_add(1, std::memory_order_relaxed); }
  /// Sequentially consistent: whoever waits for a place, and says so before, sees it.
  /// False: there is none nevertheless, since the limit has been lowered.
  bool give() noexcept { return taken_.fetch_sub(1) <= limit_.load(); }
  /// Enough places are taken for the ladder to look.
  bool is_steep() const noexcept {
    const std::uint64_t taken = taken_.load(std::memory_order_relaxed);
    return taken >= steep_.load(std::memory_order_relaxed) ||
           taken + other_descriptors_.load(std::memory_order_relaxed) >=
               steep_descriptors_.load(std::memory_order_relaxed);
  }

  // ── reports; then reconsider() ──
  /// All places are taken, and nobody is idle. False: that is known.
  bool begin_waiting() noexcept { return !waiting_.exchange(true); }
  /// A place is free. False: nobody waits for one.
  bool end_waiting() noexcept;
  bool is_waiting() const noexcept { return waiting_; }
  void evicted() noexcept { evictions_.fetch_add(1, std::memory_order_relaxed); }
  void refused() noexcept { refusals_.fetch_add(1, std::memory_order_relaxed); }
  /// A connection has got this descriptor: all below are open.
  void saw_descriptor(int number) noexcept;
  /// There was none left (EMFILE, ENFILE), or no memory for one. `relieved`: some are now.
  void ran_out_of_descriptors(bool relieved) noexcept {
    (relieved ? shortages_ : starvations_).fetch_add(1, std::memory_order_relaxed);
  }
  /// True when that is worth a look.
  bool add_memory(std::int64_t change) noexcept;
  void turn_took(duration length) noexcept;

  /// Goes up if it has to.
  std::optional<step> reconsider() noexcept;
  /// Up or down: every `interval` while it is not normal.
  std::optional<step> tick() noexcept;
  static constexpr duration interval{100};

  // ── what holds ──
  pressure_level level() const noexcept { return level_.load(std::memory_order_relaxed); }
  gate accepting() const noexcept { return gate_.load(std::memory_order_relaxed); }
  /// Idle deadlines are shorter, right now: not for longer than it takes.
  bool shrinks_idle() const noexcept;
  /// Idle connections are to leave although there is a place for each.
  bool evicts() const noexcept;
  pressure_status status() const noexcept;

 private:
  struct view {
    pressure_level level;
    pressure_cause cause;
    gate accepting;
  };
  /// Something that was reported keeps holding for a while after its last report.
  class recent {
   public:
    void look(std::uint64_t count, std::uint32_t ticks) noexcept {
      if (count != seen_)
        left_ = ticks;
      else if (left_ != 0)
        --left_;
      seen_ = count;
    }
    bool holds(std::uint64_t count) const noexcept { return left_ != 0 || count != seen_; }

   private:
    std::uint64_t seen_ = 0;
    std::uint32_t left_ = 0;
  };

  std::uint32_t used(pressure_cause what) const noexcept;
  bool is_reached(pressure_level rung, pressure_cause what, std::uint32_t percent) const noexcept;
  view assess() const noexcept;
  std::optional<step> enter(const view& what) noexcept;

  const pressure_options options_;
  const when_full full_;
  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> steep_;
  std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> descriptors_limit_{unlimited};
  std::atomic<std::uint64_t> steep_descriptors_{unlimited};
  std::atomic<std::uint64_t> other_descriptors_{0};
  std::atomic<std::uint64_t> memory_{0};
  std::atomic<std::int64_t> longest_turn_{0};  // ms, since the last tick
  std::atomic<bool> waiting_{false};
  std::atomic<bool> let_in_{false};  // somebody who had waited, since the last tick
  std::atomic<std::uint64_t> evictions_{0}, refusals_{0}, shortages_{0}, starvations_{0};

  std::atomic<pressure_level> level_{pressure_level::normal};
  std::atomic<pressure_cause> cause_{pressure_cause::connections};
  std::atomic<gate> gate_{gate::open};
  std::array<std::atomic<std::uint64_t>, pressure_level_count> reached_{};

  std::mutex stepping_;  // for what follows
  recent evicting_, refusing_, short_, starving_;
  std::atomic<std::int64_t> last_turn_{0};  // the longest between the last two ticks
  std::uint32_t paused_ticks_ = 0;          // in a row, nobody let in
};

}  // namespace dwell::inline v0
