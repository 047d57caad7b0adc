#include "base/block_pool.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define DWELL_POISONS_FREE_BLOCKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DWELL_POISONS_FREE_BLOCKS 1
#endif
#endif

#ifdef DWELL_POISONS_FREE_BLOCKS
#include <sanitizer/asan_interface.h>
#endif

namespace dwell::inline v0 {
namespace {

constexpr unsigned steps_per_doubling = 4;

// Which size a block of `bytes` (at most the biggest) has: 0 for 64 B, 1 for 80 B …
constexpr std::size_t size_class(std::size_t bytes) noexcept {
  const std::size_t last = std::max(bytes, block_pool::smallest) - 1;
  const auto doubling = static_cast<unsigned>(std::bit_width(last)) - 1;
  const std::size_t step = (last >> (doubling - 2)) - steps_per_doubling;
  // 64 - 1 is the last byte of the step below the first class, hence the 1.
  return (doubling - 5) * steps_per_doubling + step + 1 - steps_per_doubling;
}

constexpr std::size_t class_size(std::size_t which) noexcept {
  return (steps_per_doubling + which % steps_per_doubling) << (4 + which / steps_per_doubling);
}

static_assert(size_class(0) == 0 && size_class(64) == 0 && class_size(0) == 64);
static_assert(size_class(65) == 1 && size_class(80) == 1 && class_size(1) == 80);
static_assert(size_class(128) == 4 && class_size(4) == 128 && size_class(129) == 5);
static_assert(size_class(block_pool::biggest) == 40 && class_size(40) == block_pool::biggest);

void poison([[maybe_unused]] void* block, [[maybe_unused]] std::size_t size) noexcept {
#ifdef DWELL_POISONS_FREE_BLOCKS
  ASAN_POISON_MEMORY_REGION(block, size);
#endif
}

void unpoison([[maybe_unused]] void* block, [[maybe_unused]] std::size_t size) noexcept {
#ifdef DWELL_POISONS_FREE_BLOCKS
  ASAN_UNPOISON_MEMORY_REGION(block, size);
#endif
}

}  // namespace

block_pool::~block_pool() {
  assert(in_use_ == 0);
  for (std::size_t which = 0; which < free_.size(); ++which) {
    while (free_block* const block = free_[which]) {
      unpoison(block, class_size(which));
      free_[which] = block->next;
      ::operator delete(block);
    }
  }
}

std::size_t block_pool::rounded(std::size_t bytes) noexcept {
  return bytes > biggest ? bytes : class_size(size_class(bytes));
}

std::byte* block_pool::take(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  void* block = nullptr;
  free_block** const free = size > biggest ? nullptr : &free_[size_class(size)];
  if (free != nullptr && *free != nullptr) {
    block = *free;
    unpoison(block, size);
    *free = (*free)->next;
    cached_ -= size;
  } else {
    block = ::operator new(size);
  }
  in_use_ += size;
  return static_cast<std::byte*>(block);
}

void block_pool::give(std::byte* block, std::size_t bytes) noexcept {
  const std::size_t size = rounded(bytes);
  assert(in_use_ >= size);
  in_use_ -= size;
  if (size > biggest || size > cache_limit_ - cached_) {
    ::operator delete(block);
    return;
  }
  free_block*& free = free_[size_class(size)];
  free = ::new (block) free_block{free};
  cached_ += size;
  poison(block, size);
}

}  // namespace dwell::inline v0
