#pragma once

#include "base/block_pool.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace dwell::inline v0 {

/// Contiguous bytes: input that is kept until its consumer can use it.
///
/// One pointer, and nothing else while it is empty; then one pool block that fits what was appended
/// first, and doubles from there. Moving bytes inside costs amortised constant time for each byte,
/// however small the steps in which they are appended and consumed. Owns its block, and remembers
/// its pool, which must outlive it. One loop's; not thread-safe. What `view()` returned is valid
/// until the next call that is not const.
class byte_buffer {
 public:
  byte_buffer() = default;
  byte_buffer(byte_buffer&& other) noexcept : head_{std::exchange(other.head_, nullptr)} {}
  byte_buffer& operator=(byte_buffer&& other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~byte_buffer() { clear(); }

  /// Copies `bytes` to the end; they must not lie in this buffer. Every append until the buffer is
  /// empty again takes the same pool. Throws `std::bad_alloc`, and then nothing is appended.
  void append(block_pool& pool, std::span<const std::byte> bytes);

  bool empty() const noexcept { return head_ == nullptr; }

  /// Bytes kept.
  std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->end - head_->begin; }

  std::span<const std::byte> view() const noexcept {
    if (head_ == nullptr) return {};
    return {data() + head_->begin, size()};
  }

  /// Drops `count` bytes from the front, at most `size()`. Empty: the block goes back to its pool.
  void consume(std::size_t count) noexcept;

  void clear() noexcept;

 private:
  struct header {  // at the start of the block, the data follows
    block_pool* pool;
    std::size_t begin;
    std::size_t end;
    std::size_t capacity;
  };

  std::byte* data() const noexcept { return reinterpret_cast<std::byte*>(head_ + 1); }
  void make_room(block_pool& pool, std::size_t wanted);

  header* head_ = nullptr;
};

static_assert(sizeof(byte_buffer) == sizeof(void*));

}  // namespace dwell::inline v0
