#include "server/core.hpp"
#include "server/own_tables.hpp"

#include <algorithm>

namespace dwell::inline v0 {

bool server_core::admit() noexcept {
  // Before it takes its place, which may be given back: whoever asks may find nobody in the queue.
  if (ladder_.is_steep() && ladder_.level() == pressure_level::normal) climb();
  if (!ladder_.take()) return false;
  if (is_client_) begin_work();
  return true;
}

void server_core::readmit() noexcept {
  // Sequentially consistent, as what wait_for_room does: one of the two sees the other.
  const bool has_room = ladder_.give();
  if (is_client_) return end_work();
  if (tables_ != nullptr && tables_->turn.is_vacant()) fill_vacant_turn(0);
  if (!has_room || !ladder_.is_waiting() || !ladder_.end_waiting()) return;
  order_all(standing_order::look_for_room);
}

void server_core::wait_for_room() noexcept {
  if (!ladder_.begin_waiting()) return;
  climb();
  order_all(standing_order::look_for_room);
  // A slot may have come free between the refusal and the flag: then nobody else would notice.
  if (ladder_.taken() < ladder_.limit() && ladder_.end_waiting()) {
    order_all(standing_order::look_for_room);
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

/// Accepting has failed, and will for a while.
void server_core::pause_accepting(loop& where, bool relieved) noexcept {
  ladder_.ran_out_of_descriptors(relieved);
  climb();
  if (tables_ != nullptr) return rest_from_accepting(where, accept_pause());
  where.accept(false);  // before the order has come
  order_all(standing_order::pause_accepting);
}

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
