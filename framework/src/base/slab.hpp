#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dwell::inline v0 {

/// Objects with stable addresses and small indices: what a loop keeps its connections in.
///
/// Chunks of 64 slots, taken as they are needed and never given back (the next burst needs them
/// again); the slot freed last is used first, while it is still in the cache. A free slot costs
/// nothing beside its storage. At most 2^32 - 64 slots.
///
/// Owns its objects and destroys those still live. Owned by one loop; not thread-safe. An address
/// or index is valid until it is erased. Any member may be called from inside `visit()`, and from
/// the constructor and destructor of an object.
template <class T>
class slab {
 public:
  /// What `visit()` returns when it has reached the end.
  static constexpr std::uint32_t end = 0xffff'ffff;

  slab() = default;
  slab(const slab&) = delete;
  slab& operator=(const slab&) = delete;
  ~slab() {
    visit(0, end, [this](std::uint32_t index, T&) { erase(index); });
  }

  /// Constructs an object in a free slot. Throws what its constructor throws, `std::bad_alloc`, or
  /// `std::length_error` when all indices are used; then nothing has changed.
  template <class... Arguments>
  std::pair<std::uint32_t, T&> emplace(Arguments&&... arguments) {
    const std::uint32_t index = take_slot();
    slot& where = slot_at(index);
    try {
      std::construct_at(&where.value, std::forward<Arguments>(arguments)...);
    } catch (...) {
      give_slot(index);
      throw;
    }
    chunks_[index / chunk_size].live |= bit(index);
    ++size_;
    return {index, where.value};
  }

  /// Destroys a live object. Its slot is the next to be used.
  void erase(std::uint32_t index) noexcept {
    assert(live(index));
    chunks_[index / chunk_size].live &= ~bit(index);
    --size_;
    std::destroy_at(&slot_at(index).value);
    give_slot(index);
  }

  /// Null when the slot is free, or was never used.
  T* find(std::uint32_t index) noexcept { return live(index) ? &slot_at(index).value : nullptr; }

  /// Only for a live index.
  T& operator[](std::uint32_t index) noexcept {
    assert(live(index));
    return slot_at(index).value;
  }

  /// Live objects.
  std::uint32_t size() const noexcept { return size_; }

  /// Slots there is memory for: every index given out so far is below it.
  std::uint32_t capacity() const noexcept {
    return static_cast<std::uint32_t>(chunks_.size()) * chunk_size;
  }

  /// Calls `call(index, object)` for the live objects among the `slots` slots from index `from`, in
  /// ascending order. Returns where to go on, or `end`. Objects made meanwhile may be missed.
  template <class Call>
  std::uint32_t visit(std::uint32_t from, std::uint32_t slots, Call&& call) {
    const std::uint64_t stop = std::uint64_t{from} + slots;
    std::uint64_t index = from;
    while (index < std::min<std::uint64_t>(stop, used_)) {
      const auto candidate = static_cast<std::uint32_t>(index);
      const std::uint64_t rest = chunks_[candidate / chunk_size].live >> (candidate % chunk_size);
      if ((rest & 1) != 0) {
        call(candidate, slot_at(candidate).value);
        ++index;
      } else {
        index += rest != 0 ? static_cast<unsigned>(std::countr_zero(rest))
                           : chunk_size - candidate % chunk_size;
      }
    }
    return stop < used_ ? static_cast<std::uint32_t>(stop) : end;
  }

 private:
  static constexpr std::uint32_t chunk_size = 64;
  static constexpr std::uint32_t none = 0xffff'ffff;

  union slot {
    slot() noexcept : next_free{none} {}
    // NOLINTNEXTLINE(modernize-use-equals-default): that is deleted when T has a destructor
    ~slot() {}
    T value;
    std::uint32_t next_free;
  };

  struct chunk {
    std::unique_ptr<slot[]> slots;
    std::uint64_t live = 0;
  };

  static constexpr std::uint64_t bit(std::uint32_t index) noexcept {
    return std::uint64_t{1} << (index % chunk_size);
  }

  slot& slot_at(std::uint32_t index) noexcept {
    return chunks_[index / chunk_size].slots[index % chunk_size];
  }

  bool live(std::uint32_t index) const noexcept {
    return index < used_ && (chunks_[index / chunk_size].live & bit(index)) != 0;
  }

  std::uint32_t take_slot() {
    if (free_ != none) return std::exchange(free_, slot_at(free_).next_free);
    if (used_ == capacity()) {
      if (used_ >= none - chunk_size) throw std::length_error{"slab: all 32-bit indices are used"};
      chunks_.push_back({std::make_unique<slot[]>(chunk_size)});
    }
    return used_++;
  }

  void give_slot(std::uint32_t index) noexcept {
    slot_at(index).next_free = std::exchange(free_, index);
  }

  std::vector<chunk> chunks_;
  std::uint32_t used_ = 0;  // slots used at least once; the rest has not been touched
  std::uint32_t free_ = none;
  std::uint32_t size_ = 0;
};

}  // namespace dwell::inline v0
