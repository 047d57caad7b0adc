#include "base/byte_buffer.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace dwell::inline v0 {

void byte_buffer::append(block_pool& pool, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  assert(head_ == nullptr || head_->pool == &pool);
  make_room(pool, bytes.size());
  std::memcpy(data() + head_->end, bytes.data(), bytes.size());
  head_->end += bytes.size();
}

void byte_buffer::consume(std::size_t count) noexcept {
  assert(count <= size());
  if (count == size()) {
    clear();
  } else {
    head_->begin += count;
  }
}

void byte_buffer::clear() noexcept {
  if (head_ == nullptr) return;
  header* const gone = std::exchange(head_, nullptr);
  gone->pool->give(reinterpret_cast<std::byte*>(gone), sizeof(header) + gone->capacity);
}

void byte_buffer::make_room(block_pool& pool, std::size_t wanted) {
  if (head_ != nullptr && wanted <= head_->capacity - head_->end) return;
  const std::size_t kept = size();
  // Moving to the front pays when at least as much was consumed since: amortised, each byte moves
  // once.
  if (head_ != nullptr && head_->begin >= kept && wanted <= head_->capacity - kept) {
    std::memcpy(data(), data() + head_->begin, kept);
    head_->begin = 0;
    head_->end = kept;
    return;
  }

  const std::size_t doubled = head_ == nullptr ? 0 : 2 * (head_->capacity + sizeof(header));
  const std::size_t size = block_pool::rounded(std::max(kept + wanted + sizeof(header), doubled));
  auto* const grown = ::new (pool.take(size))
      header{.pool = &pool, .begin = 0, .end = kept, .capacity = size - sizeof(header)};
  if (kept > 0) std::memcpy(grown + 1, data() + head_->begin, kept);
  clear();
  head_ = grown;
}

}  // namespace dwell::inline v0
