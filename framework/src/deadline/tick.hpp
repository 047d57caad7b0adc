#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <cstdint>

namespace dwell::inline v0 {

/// A moment of the loop's clock: milliseconds in 32 bits, wrapping every 49.7 days.
///
/// Two ticks are compared by their signed difference only, which is right as long as they are less
/// than 24.8 days apart, across the wrap too. That is not a total order (of three ticks a third of
/// the circle apart, each is before the next), so there is no `operator<` for a sort or a map to
/// find: ask `before(a, b)`.
class tick {
 public:
  constexpr tick() noexcept = default;
  explicit constexpr tick(std::uint32_t milliseconds) noexcept : value_{milliseconds} {}

  constexpr std::uint32_t value() const noexcept { return value_; }

  friend constexpr bool operator==(tick, tick) noexcept = default;

  /// `length` is at most 24.8 days either way, and never `dwell::off`.
  friend constexpr tick operator+(tick from, duration length) noexcept {
    return tick{from.value_ + static_cast<std::uint32_t>(length.count())};
  }

  /// Milliseconds from `from` to `to`; negative when `to` comes first.
  friend constexpr std::int32_t operator-(tick to, tick from) noexcept {
    return static_cast<std::int32_t>(to.value_ - from.value_);
  }

 private:
  std::uint32_t value_ = 0;
};

/// Whether `a` is earlier than `b`; see `tick` for what that means.
constexpr bool before(tick a, tick b) noexcept { return a - b < 0; }

}  // namespace dwell::inline v0
