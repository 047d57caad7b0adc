#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

// How often each value came, an eighth of its size apart. One thread adds, any may read.
class counted {
 public:
  static constexpr unsigned steps = 8;
  static constexpr std::size_t buckets = 62 * steps;

  void add(std::uint64_t value) noexcept {
    auto& bucket = counts_[bucket_of(value)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  std::uint64_t at(std::size_t bucket) const noexcept {
    return counts_[bucket].load(std::memory_order_relaxed);
  }

  // The largest value that is counted there.
  static constexpr std::uint64_t most_in(std::size_t bucket) noexcept {
    if (bucket < 2 * steps) return bucket;
    const std::size_t doubling = bucket / steps - 1;
    return ((std::uint64_t{steps} + bucket % steps + 1) << doubling) - 1;
  }
  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < 2 * steps) return static_cast<std::size_t>(value);
    const auto doubling = static_cast<unsigned>(std::bit_width(value)) - std::bit_width(steps);
    return (doubling + 1) * steps + static_cast<std::size_t>((value >> doubling) - steps);
  }

 private:
  std::array<std::atomic<std::uint64_t>, buckets> counts_{};
};

static_assert(counted::bucket_of(15) == 15 && counted::bucket_of(16) == 16);
static_assert(counted::bucket_of(17) == 16 && counted::most_in(16) == 17);
static_assert(counted::most_in(counted::bucket_of(1'000'000)) >= 1'000'000);

// What several have counted.
class sum_of_counted {
 public:
  void add(const counted& each) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += each.at(i);
  }
  sum_of_counted since(const sum_of_counted& before) const noexcept {
    sum_of_counted rest = *this;
    for (std::size_t i = 0; i < counts_.size(); ++i) rest.counts_[i] -= before.counts_[i];
    return rest;
  }
  std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t each : counts_) all += each;
    return all;
  }
  // At least as large as this share of them.
  std::uint64_t quantile(double share) const noexcept {
    const double wanted = share * static_cast<double>(count());
    std::uint64_t passed = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      passed += counts_[i];
      if (passed != 0 && static_cast<double>(passed) >= wanted) return counted::most_in(i);
    }
    return 0;
  }

 private:
  std::array<std::uint64_t, counted::buckets> counts_{};
};
