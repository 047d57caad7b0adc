#include "server/core.hpp"

#include <algorithm>

namespace dwell::inline v0 {

bool server_core::admit() noexcept {
  if (admitted_.fetch_add(1, std::memory_order_relaxed) < limit_) {
    if (is_client_) begin_work();
    return true;
  }
  admitted_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void server_core::readmit() noexcept {
  // Sequentially consistent, as what wait_for_room does: one of the two sees the other.
  admitted_.fetch_sub(1);
  if (is_client_) return end_work();
  if (!waiting_for_room_.load()) return;
  if (waiting_for_room_.exchange(false)) order_all(standing_order::look_for_room);
}

void server_core::wait_for_room() noexcept {
  if (waiting_for_room_.exchange(true)) return;
  order_all(standing_order::look_for_room);
  // A slot may have come free between the refusal and the flag: then nobody else would notice.
  if (admitted_.load() < limit_ && waiting_for_room_.exchange(false)) {
    order_all(standing_order::look_for_room);
  }
}

loop* server_core::deal(loop&, const service& what) noexcept {
  if (hosts_.size() == 1 || what.has_listener_each()) return nullptr;
  const std::uint32_t turn = next_dealt_.fetch_add(1, std::memory_order_relaxed);
  return hosts_[turn % hosts_.size()]->connections.get();
}

void server_core::pause_accepting() noexcept { order_all(standing_order::pause_accepting); }

/// EMFILE and its like last until something is closed: forty questions a second are enough, those
/// of all loops together, and each loop asks at least once a second.
duration server_core::accept_pause() const noexcept {
  const auto together = duration{25 + 25 * static_cast<std::int64_t>(hosts_.size())};
  return std::min(together, duration{800});
}

void server_core::order_all(standing_order what) noexcept {
  for (const auto& host : hosts_) host->connections->mail()->order(what);
}

}  // namespace dwell::inline v0
