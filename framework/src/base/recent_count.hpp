#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace dwell::inline v0 {

/// How many events there were within the last 60 s, to the second: as long as TIME_WAIT lasts.
///
/// One thread adds, any thread reads. An event counts until its second is 60 s ago, so for 59 to
/// 60 s. Times are milliseconds of one clock and do not go back.
class recent_count {
 public:
  static constexpr std::uint32_t seconds = 60;

  recent_count() = default;
  recent_count(const recent_count&) = delete;
  recent_count& operator=(const recent_count&) = delete;

  void add(std::uint64_t now) noexcept {
    const std::uint32_t second = second_of(now);
    std::atomic<std::uint64_t>& place = places_[second % places_.size()];
    const std::uint64_t before = place.load(std::memory_order_relaxed);
    const std::uint64_t count = second_in(before) == second ? count_in(before) : 0;
    place.store(std::uint64_t{second} << 32U | (count + 1), std::memory_order_relaxed);
  }

  std::uint64_t read(std::uint64_t now) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& place : places_) {
      const std::uint64_t value = place.load(std::memory_order_relaxed);
      if (second_of(now) - second_in(value) < seconds) sum += count_in(value);
    }
    return sum;
  }

 private:
  static constexpr std::uint32_t second_of(std::uint64_t now) noexcept {
    return static_cast<std::uint32_t>(now / 1'000);
  }
  static constexpr std::uint32_t second_in(std::uint64_t place) noexcept {
    return static_cast<std::uint32_t>(place >> 32U);
  }
  static constexpr std::uint64_t count_in(std::uint64_t place) noexcept {
    return place & 0xffff'ffffU;
  }

  /// Each a second and, below it, how many there were in it. More than are read, so that the place
  /// that is written is not one that a reader whose clock is a moment behind still counts.
  std::array<std::atomic<std::uint64_t>, 64> places_{};
};

}  // namespace dwell::inline v0
