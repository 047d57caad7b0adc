#include "server/core.hpp"
#include "server/own_tables.hpp"

#include <algorithm>

namespace dwell::inline v0 {
namespace {

/// EMFILE and its like last until something is closed: forty questions a second are enough, those
/// of all loops together, and each loop asks at least once a second.
duration accept_pause(std::size_t loops) noexcept {
  const auto together = duration{25 + 25 * static_cast<std::int64_t>(loops)};
  return std::min(together, duration{800});
}

}  // namespace

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
  if (tables_ != nullptr && tables_->turn.is_vacant()) fill_vacant_turn(0);
  if (!waiting_for_room_.load()) return;
  if (!waiting_for_room_.exchange(false)) return;
  order_all([](loop& each) { each.accept(true); });
}

void server_core::wait_for_room() noexcept {
  if (waiting_for_room_.exchange(true)) return;
  order_all([this](loop& each) {
    if (waiting_for_room_) each.accept(false);
  });
  // A slot may have come free between the refusal and the flag: then nobody else would notice.
  if (admitted_.load() < limit_ && waiting_for_room_.exchange(false)) {
    order_all([](loop& each) { each.accept(true); });
  }
}

loop* server_core::deal(loop& from, const service& what) noexcept {
  if (tables_ != nullptr) {
    accepted_in_turn(from);
    return nullptr;
  }
  if (hosts_.size() == 1 || what.has_listener_each()) return nullptr;
  const std::uint32_t turn = next_dealt_.fetch_add(1, std::memory_order_relaxed);
  return hosts_[turn % hosts_.size()]->connections.get();
}

void server_core::pause_accepting(loop& where) noexcept {
  const duration pause = accept_pause(hosts_.size());
  if (tables_ != nullptr) return rest_from_accepting(where, pause);
  order_all([pause](loop& each) { each.accept_again_after(pause); });
}

}  // namespace dwell::inline v0
