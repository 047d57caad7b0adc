#include "base/byte_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace dwell::inline v0 {

void byte_queue::append(block_pool& pool, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  assert(head_ == nullptr || head_->pool == &pool);
  segment* const last = head_ == nullptr ? nullptr : head_->last;
  const std::size_t room = last == nullptr ? 0 : last->capacity - last->end;
  segment* added = nullptr;
  if (bytes.size() > room) {
    const std::size_t at_least = last == nullptr ? 0 : 2 * (last->capacity + sizeof(segment));
    added = make_chain(pool, bytes.size() - room, at_least);  // throws before anything is changed
  }

  const std::size_t appended = bytes.size();
  if (last != nullptr) {
    fill(last, bytes);
    last->next = added;
  } else {
    head_ = added;
    head_->pool = &pool;
    head_->last = added;
  }
  head_->total += appended;
  for (; added != nullptr; added = added->next) {
    fill(added, bytes);
    head_->last = added;
  }
}

std::size_t byte_queue::gather(std::span<iovec> vectors) const noexcept {
  std::size_t filled = 0;
  for (segment* at = head_; at != nullptr && filled < vectors.size(); at = at->next) {
    vectors[filled++] = {.iov_base = data_of(at) + at->begin, .iov_len = at->end - at->begin};
  }
  return filled;
}

void byte_queue::consume(std::size_t count) noexcept {
  assert(count <= size());
  while (count > 0) {
    segment* const front = head_;
    const std::size_t used = std::min(count, front->end - front->begin);
    front->begin += used;
    front->total -= used;
    count -= used;
    if (front->begin < front->end) return;
    block_pool& pool = *front->pool;
    head_ = front->next;
    if (head_ != nullptr) {
      head_->pool = front->pool;
      head_->total = front->total;
      head_->last = front->last;
    }
    pool.give(reinterpret_cast<std::byte*>(front), sizeof(segment) + front->capacity);
  }
}

void byte_queue::clear() noexcept {
  if (head_ == nullptr) return;
  segment* const first = std::exchange(head_, nullptr);
  give_chain(*first->pool, first);
}

byte_queue::segment* byte_queue::make_segment(block_pool& pool, std::size_t wanted) {
  const std::size_t size = block_pool::rounded(std::min(wanted, block_pool::biggest));
  return ::new (pool.take(size)) segment{.pool = nullptr,
                                         .total = 0,
                                         .last = nullptr,
                                         .next = nullptr,
                                         .begin = 0,
                                         .end = 0,
                                         .capacity = size - sizeof(segment)};
}

// Room for `bytes`, in a first block of at least `at_least` bytes as far as blocks get that big.
byte_queue::segment* byte_queue::make_chain(block_pool& pool, std::size_t bytes,
                                            std::size_t at_least) {
  segment* const first = make_segment(pool, std::max(bytes + sizeof(segment), at_least));
  try {
    for (segment* at = first; bytes > at->capacity; at = at->next) {
      bytes -= at->capacity;
      at->next = make_segment(pool, bytes + sizeof(segment));
    }
  } catch (...) {
    give_chain(pool, first);
    throw;
  }
  return first;
}

// Moves as much of `bytes` as fits to the end of the segment.
void byte_queue::fill(segment* in, std::span<const std::byte>& bytes) noexcept {
  const std::size_t fits = std::min(bytes.size(), in->capacity - in->end);
  if (fits == 0) return;
  std::memcpy(data_of(in) + in->end, bytes.data(), fits);
  in->end += fits;
  bytes = bytes.subspan(fits);
}

void byte_queue::give_chain(block_pool& pool, segment* first) noexcept {
  while (first != nullptr) {
    segment* const next = first->next;
    pool.give(reinterpret_cast<std::byte*>(first), sizeof(segment) + first->capacity);
    first = next;
  }
}

}  // namespace dwell::inline v0
