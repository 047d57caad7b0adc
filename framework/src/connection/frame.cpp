#include <dwell/connection/task.hpp>

#include "base/block_pool.hpp"
#include "connection/loop.hpp"

#include <cstddef>
#include <cstring>
#include <new>

namespace dwell::inline v0 {
namespace {

/// Behind the frame, not ahead of it, where its alignment would cost eight bytes more.
constexpr std::size_t with_pool(std::size_t size) noexcept { return size + sizeof(block_pool*); }

}  // namespace

void* take_frame(std::size_t size) {
  loop* const here = loop::current();
  block_pool* const pool = here != nullptr ? &here->pool() : nullptr;
  void* const frame =
      pool != nullptr ? pool->take(with_pool(size)) : ::operator new(with_pool(size));
  std::memcpy(static_cast<std::byte*>(frame) + size, &pool, sizeof pool);
  return frame;
}

void give_frame(void* frame, std::size_t size) noexcept {
  block_pool* pool = nullptr;
  std::memcpy(&pool, static_cast<std::byte*>(frame) + size, sizeof pool);
  if (pool != nullptr) {
    pool->give(static_cast<std::byte*>(frame), with_pool(size));
  } else {
    ::operator delete(frame);
  }
}

}  // namespace dwell::inline v0
