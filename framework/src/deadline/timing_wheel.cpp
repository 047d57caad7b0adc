#include "deadline/timing_wheel.hpp"

#include <bit>

namespace dwell::inline v0 {
namespace {

constexpr unsigned byte_of(tick value, unsigned level) noexcept {
  return (value.value() >> (8 * level)) & 0xff;
}

}  // namespace

timing_wheel::timing_wheel(tick now) : position_{now} {
  nodes_.reserve(slot_count);
  for (std::uint32_t slot = 0; slot < slot_count; ++slot) nodes_.push_back({slot, slot, tick{}});
}

void timing_wheel::reserve(std::uint32_t count) { nodes_.reserve(std::size_t{count} + slot_count); }

void timing_wheel::grow(std::uint32_t count) {
  const std::size_t wanted = std::size_t{count} + slot_count;
  assert(wanted < unlinked);
  if (wanted > nodes_.size()) nodes_.resize(wanted);
}

void timing_wheel::arm(std::uint32_t index, tick due) noexcept {
  disarm(index);
  const std::uint32_t id = index + slot_count;
  nodes_[id].due = due;
  link(id);
  ++size_;
}

void timing_wheel::disarm(std::uint32_t index) noexcept {
  if (!armed(index)) return;
  unlink(index + slot_count);
  --size_;
}

std::optional<tick> timing_wheel::next() const noexcept {
  const std::uint32_t slot = first_occupied();
  if (slot == unlinked) return std::nullopt;
  return start_of(slot);
}

void timing_wheel::advance(tick now) noexcept {
  const std::uint32_t slot = first_occupied();
  if (slot == unlinked) {
    position_ = now;  // an empty wheel has no past, however long nobody called
  } else {
    step_to(start_of(slot), now);
  }
}

std::optional<std::uint32_t> timing_wheel::pop(tick now, std::uint32_t& moves) noexcept {
  for (;;) {
    const std::uint32_t slot = first_occupied();
    if (slot == unlinked) {
      position_ = now;
      return std::nullopt;
    }
    if (!step_to(start_of(slot), now)) return std::nullopt;
    if (slot < slots_per_level) {
      const std::uint32_t id = nodes_[slot].next;
      unlink(id);
      --size_;
      return id - slot_count;
    }
    if (!cascade(slot, moves)) return std::nullopt;
  }
}

std::uint32_t timing_wheel::slot_for(tick due) const noexcept {
  if (due.value() - position_.value() > furthest_ahead) due = position_;
  const std::uint32_t differing = due.value() ^ position_.value();
  const auto level = static_cast<unsigned>(std::bit_width(differing | 1U) - 1) / 8;
  return level * slots_per_level + byte_of(due, level);
}

// The slot that comes first. Below the top level, all entries share the higher bytes of the
// position, so that lower levels come first and nothing lies before the position's own byte. The
// top level goes round: that is the wrap of the tick.
std::uint32_t timing_wheel::find_first() const noexcept {
  if (size_ == 0) return unlinked;
  for (unsigned level = 1; level < levels; ++level) {  // a cascade that ran out of moves
    const unsigned slot = level * slots_per_level + byte_of(position_, level);
    if ((occupied_[slot / 64] >> (slot % 64)) & 1) return slot;
  }
  for (unsigned level = 0; level < levels; ++level) {
    const auto found = find_occupied(level, byte_of(position_, level));
    if (found) return level * slots_per_level + *found;
  }
  return (levels - 1) * slots_per_level + *find_occupied(levels - 1, 0);
}

std::optional<unsigned> timing_wheel::find_occupied(unsigned level, unsigned from) const noexcept {
  const std::uint64_t* words = &occupied_[level * words_per_level];
  unsigned word = from / 64;
  std::uint64_t bits = words[word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == words_per_level) return std::nullopt;
    bits = words[word];
  }
  return word * 64 + static_cast<unsigned>(std::countr_zero(bits));
}

tick timing_wheel::start_of(std::uint32_t slot) const noexcept {
  const unsigned level = slot / slots_per_level;
  const std::uint32_t own = (slot % slots_per_level) << (8 * level);
  if (level == levels - 1) return tick{own};
  const std::uint32_t shared = position_.value() >> (8 * (level + 1)) << (8 * (level + 1));
  return tick{shared | own};
}

// Moves the position to `target`, the start of the first occupied slot, when `now` has reached it;
// else to `now`. Passing over empty slots only, it keeps every entry at its right level.
bool timing_wheel::step_to(tick target, tick now) noexcept {
  const std::uint32_t passed = now.value() - position_.value();
  if (passed > furthest_ahead) return false;  // now is before the position
  const bool reached = target.value() - position_.value() <= passed;
  position_ = reached ? target : now;
  return reached;
}

void timing_wheel::link(std::uint32_t id) noexcept {
  const std::uint32_t slot = slot_for(nodes_[id].due);
  const std::uint32_t last = nodes_[slot].previous;
  nodes_[id].next = slot;
  nodes_[id].previous = last;
  nodes_[last].next = id;
  nodes_[slot].previous = id;
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  // The number of a slot says whether it comes first, but not in the top level, which goes round.
  if (slot < first_ || first_ >= (levels - 1) * slots_per_level) first_ = unknown;
}

void timing_wheel::unlink(std::uint32_t id) noexcept {
  const std::uint32_t next = nodes_[id].next;
  const std::uint32_t previous = nodes_[id].previous;
  nodes_[previous].next = next;
  nodes_[next].previous = previous;
  nodes_[id].next = unlinked;
  if (next != previous) return;
  // Only a head that is alone has the same node on both sides: the slot is empty.
  occupied_[next / 64] &= ~(std::uint64_t{1} << (next % 64));
  if (next == first_) first_ = unknown;
}

// Moves what lies in the slot that the position has entered to the levels below.
bool timing_wheel::cascade(std::uint32_t slot, std::uint32_t& moves) noexcept {
  for (std::uint32_t id = nodes_[slot].next; id != slot; id = nodes_[slot].next) {
    if (moves == 0) return false;
    --moves;
    unlink(id);
    link(id);
  }
  return true;
}

}  // namespace dwell::inline v0
