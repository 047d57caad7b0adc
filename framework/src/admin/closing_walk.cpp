#include "admin/closing_walk.hpp"

#include <dwell/connection/connection.hpp>

namespace dwell::inline v0 {

void closing_walk::look(connection& peer) noexcept {
  if (!peer.is_open() || !which_.takes(peer)) return;
  if (method_) {
    peer.close(close_reason::drain, *method_);
  } else {
    peer.close(close_reason::drain);
  }
  closed_.fetch_add(1, std::memory_order_relaxed);
}

closing_walk::result closing_walk::take() {
  result all;
  all.silent_loops = take_parts([](std::uint32_t) { return true; });
  all.closed = closed_.load();
  return all;
}

}  // namespace dwell::inline v0
