#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace dwell::inline v0 {

/// A count that one thread writes and any thread reads.
///
/// Unsigned, wraps at 2^64. `add()` is a plain load and store, no locked instruction: only one
/// thread, the loop that owns it, may call it. `read()` may be called from any thread; it sees each
/// value whole, but says nothing about the order of two counters.
class counter {
 public:
  counter() = default;
  counter(const counter&) = delete;
  counter& operator=(const counter&) = delete;

  void add(std::uint64_t amount = 1) noexcept { store(read() + amount); }

  /// For a count of what is there now, rather than of what has happened.
  void subtract(std::uint64_t amount = 1) noexcept { store(read() - amount); }

  std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  void store(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }

  std::atomic<std::uint64_t> value_{0};
};

/// Adds what each has counted to `sum`.
template <std::size_t count>
void read_each(const std::array<counter, count>& of,
               std::array<std::uint64_t, count>& sum) noexcept {
  for (std::size_t i = 0; i < count; ++i) sum[i] += of[i].read();
}

}  // namespace dwell::inline v0
