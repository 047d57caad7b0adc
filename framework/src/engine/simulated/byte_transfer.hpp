#pragma once

#include "base/byte_queue.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace dwell {

/// Calls `use(part)` for the first `count` bytes, and takes them out.
template <class Use>
void take_bytes(byte_queue& from, std::size_t count, Use&& use) {
  while (count > 0) {
    std::array<iovec, 8> parts;
    const std::size_t filled = from.gather(parts);
    std::size_t done = 0;
    for (const iovec& part : std::span{parts}.first(filled)) {
      const std::size_t here = std::min(part.iov_len, count - done);
      use(std::span{static_cast<const std::byte*>(part.iov_base), here});
      done += here;
      if (done == count) break;
    }
    from.consume(done);
    count -= done;
  }
}

/// The first `count` bytes change hands.
inline void move_bytes(block_pool& pool, byte_queue& from, byte_queue& to, std::size_t count) {
  if (to.empty() && count == from.size()) {
    to = std::move(from);
    from.clear();
  } else {
    take_bytes(from, count, [&](std::span<const std::byte> part) { to.append(pool, part); });
  }
}

}  // namespace dwell
