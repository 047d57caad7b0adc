#pragma once

#include "base/block_pool.hpp"

#include <cstddef>
#include <span>
#include <sys/uio.h>
#include <utility>

namespace dwell::inline v0 {

/// Bytes on their way out: appended at the back, gathered and consumed at the front.
///
/// One pointer, and nothing else while it is empty; then a chain of pool blocks, each filled before
/// the next is taken. The first fits what is appended, later ones double up to 64 KiB. Owns its
/// blocks, and remembers their pool, which must outlive them. One loop's; not thread-safe. What
/// `gather()` returned is valid until the bytes are consumed or cleared.
class byte_queue {
 public:
  byte_queue() = default;
  byte_queue(byte_queue&& other) noexcept : head_{std::exchange(other.head_, nullptr)} {}
  byte_queue& operator=(byte_queue&& other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~byte_queue() { clear(); }

  /// Copies `bytes`. Every append until the queue is empty again takes the same pool. Throws
  /// `std::bad_alloc`, and then nothing is appended.
  void append(block_pool& pool, std::span<const std::byte> bytes);

  bool empty() const noexcept { return head_ == nullptr; }

  /// Bytes queued.
  std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->total; }

  /// Describes the bytes from the front on, as far as `vectors` reach; returns how many it filled.
  std::size_t gather(std::span<iovec> vectors) const noexcept;

  /// Drops `count` bytes from the front, at most `size()`; blocks go back as they empty.
  void consume(std::size_t count) noexcept;

  void clear() noexcept;

 private:
  // At the start of each block. The three members that describe the whole queue count in its first
  // segment only, and move on when that is used up.
  struct segment {
    block_pool* pool;
    std::size_t total;
    segment* last;

    segment* next;
    std::size_t begin;  // offsets into the data, which follows
    std::size_t end;
    std::size_t capacity;
  };

  static std::byte* data_of(segment* in) noexcept { return reinterpret_cast<std::byte*>(in + 1); }
  static segment* make_segment(block_pool& pool, std::size_t wanted);
  static void fill(segment* in, std::span<const std::byte>& bytes) noexcept;
  static void give_chain(block_pool& pool, segment* first) noexcept;
  static segment* make_chain(block_pool& pool, std::size_t bytes, std::size_t at_least);

  segment* head_ = nullptr;
};

static_assert(sizeof(byte_queue) == sizeof(void*));

}  // namespace dwell::inline v0
