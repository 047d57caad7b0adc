#pragma once

#include "deadline/tick.hpp"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dwell::inline v0 {

/// A hierarchical timing wheel: at most one due tick for each index below a given count.
///
/// Four levels of 256 slots, one for each byte of a tick; an entry lies at the level of the highest
/// byte in which its due tick differs from the wheel's position. Arming and disarming are O(1),
/// each entry moves at most three times before it fires, and a jump costs its occupied slots, not
/// its milliseconds. Entries of one tick fire in no promised order.
///
/// Twelve bytes for each index (two 32-bit links and the due tick), whether armed or not. Owned by
/// one loop; not thread-safe. Reentrant between calls: there are no iterators to invalidate.
/// The position follows the caller: call `advance()` or `pop()` on every wake-up before arming.
/// While something is armed, no more than 37 days may lie between two such calls, and a due tick
/// may lie up to 37 days after the position and 12 days before it. An empty wheel may be left for
/// any time.
class timing_wheel {
 public:
  explicit timing_wheel(tick now);

  /// Address space for `count` indices, so that `grow()` up to there does not copy. May throw
  /// `std::bad_alloc`.
  void reserve(std::uint32_t count);

  /// Makes the indices below `count` usable, unarmed. Never shrinks. May throw `std::bad_alloc`,
  /// and then nothing has changed.
  void grow(std::uint32_t count);

  /// How many indices are usable.
  std::uint32_t capacity() const noexcept {
    return static_cast<std::uint32_t>(nodes_.size()) - slot_count;
  }

  /// Arms `index` or moves it. Due at or before the position: fires at the next `pop()`.
  void arm(std::uint32_t index, tick due) noexcept;

  /// No-op when not armed.
  void disarm(std::uint32_t index) noexcept;

  bool armed(std::uint32_t index) const noexcept {
    assert(index < capacity());
    return nodes_[index + slot_count].next != unlinked;
  }

  /// Only for an armed index.
  tick due(std::uint32_t index) const noexcept {
    assert(armed(index));
    return nodes_[index + slot_count].due;
  }

  /// How many are armed.
  std::uint32_t size() const noexcept { return size_; }

  /// When to call `pop()` next: never later than the earliest due tick, and exact within its
  /// 256 ms. Before that it may be earlier, by less than 256 ms, 65.5 s or 4.7 h: entries that far
  /// away are told apart when their slot is reached, so each slot costs one wake-up. Past or equal
  /// to now: something is left to do. Nothing when nothing is armed.
  std::optional<tick> next() const noexcept;

  /// Moves the position to `now`, or to the first tick that has work for `pop()`. O(1).
  void advance(tick now) noexcept;

  /// Disarms and returns an index whose due tick has come. Nothing when there is none, or when the
  /// allowance is used up: each entry that moves to a lower level takes one from `moves`.
  /// `next()` tells the two apart. Any index may be armed and disarmed between calls, the returned
  /// one too; armed at or before `now`, it is returned again.
  std::optional<std::uint32_t> pop(tick now, std::uint32_t& moves) noexcept;

 private:
  static constexpr unsigned levels = 4;
  static constexpr unsigned slots_per_level = 256;
  static constexpr unsigned words_per_level = slots_per_level / 64;
  static constexpr std::uint32_t slot_count = levels * slots_per_level;
  static constexpr std::uint32_t unlinked = 0xffff'ffff;
  static constexpr std::uint32_t unknown = 0xffff'fffe;
  // Differences from the position above this mean "before it".
  static constexpr std::uint32_t furthest_ahead = 0xbfff'ffff;

  // Slots are the heads of circular lists and the first nodes, so that unlinking needs no branch
  // for the ends, and no knowledge of the slot.
  struct node {
    std::uint32_t next = unlinked;
    std::uint32_t previous = unlinked;
    tick due;
  };

  std::uint32_t slot_for(tick due) const noexcept;
  std::uint32_t first_occupied() const noexcept {
    if (first_ == unknown) first_ = find_first();
    return first_;
  }
  std::uint32_t find_first() const noexcept;
  std::optional<unsigned> find_occupied(unsigned level, unsigned from) const noexcept;
  tick start_of(std::uint32_t slot) const noexcept;
  bool step_to(tick target, tick now) noexcept;
  void link(std::uint32_t id) noexcept;
  void unlink(std::uint32_t id) noexcept;
  bool cascade(std::uint32_t slot, std::uint32_t& moves) noexcept;

  std::vector<node> nodes_;
  std::array<std::uint64_t, levels * words_per_level> occupied_{};
  tick position_;  // everything due before it has fired
  std::uint32_t size_ = 0;
  mutable std::uint32_t first_ = unlinked;  // kept between turns, most of which have nothing to do
};

}  // namespace dwell::inline v0
