#pragma once

#include <array>
#include <cstddef>

namespace dwell::inline v0 {

/// Blocks of bytes for one loop: kept input, queued output, coroutine frames.
///
/// Sizes are 64 B to 64 KiB in four steps for each doubling (64, 80, 96, 112, 128, 160 …), so that
/// at most a fifth of a block is unused; what is bigger goes straight to `operator new`. Blocks
/// given back are kept for the next taker up to a bound; beyond it they are freed, and so a loop
/// that has become idle holds no more than that. Blocks are aligned as `operator new` does it (16
/// B).
///
/// Owns the blocks it keeps, not those taken: give them back before it goes (asserted). One loop's;
/// not thread-safe. In AddressSanitizer builds a block that was given back is poisoned.
class block_pool {
 public:
  /// Default 1 MiB: 16 blocks of the biggest size, or 4,096 blocks of 256 B.
  static constexpr std::size_t default_cache = std::size_t{1} << 20;

  static constexpr std::size_t smallest = 64;
  static constexpr std::size_t biggest = std::size_t{64} << 10;

  /// Keeps at most `cache` bytes of free blocks; 0 keeps none.
  explicit block_pool(std::size_t cache = default_cache) noexcept : cache_limit_{cache} {}
  block_pool(const block_pool&) = delete;
  block_pool& operator=(const block_pool&) = delete;
  ~block_pool();

  /// The size of the block that `take(bytes)` returns: all of it may be used.
  static std::size_t rounded(std::size_t bytes) noexcept;

  /// An uninitialised block of `rounded(bytes)` bytes. Throws `std::bad_alloc`, and then nothing
  /// has changed; on a connection that is a reason to close it, not to end the process.
  [[nodiscard]] std::byte* take(std::size_t bytes);

  /// Gives a block back. `bytes` is what it was taken with, or any size that rounds to the same.
  void give(std::byte* block, std::size_t bytes) noexcept;

  /// Bytes of the blocks that are taken, as rounded.
  std::size_t in_use() const noexcept { return in_use_; }

  /// Bytes of the free blocks that are kept.
  std::size_t cached() const noexcept { return cached_; }

 private:
  struct free_block {
    free_block* next;
  };

  std::array<free_block*, 41> free_{};  // one list for each size
  std::size_t cache_limit_;
  std::size_t cached_ = 0;
  std::size_t in_use_ = 0;
};

}  // namespace dwell::inline v0
