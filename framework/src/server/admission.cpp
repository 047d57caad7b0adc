#include "server/core.hpp"

namespace dwell::inline v0 {
namespace {

/// EMFILE and its like last until something is closed; asking twenty times a second is often
/// enough.
constexpr duration accept_pause{50};

}  // namespace

bool server_core::admit() noexcept {
  if (admitted_.fetch_add(1, std::memory_order_relaxed) < limit_) return true;
  admitted_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void server_core::readmit() noexcept {
  admitted_.fetch_sub(1, std::memory_order_relaxed);
  if (!waiting_for_room_.load(std::memory_order_relaxed)) return;
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

loop* server_core::deal(loop&, const service& what) noexcept {
  const bool own_listener_each = what.options.socket.reuse_port && !what.options.listen.is_unix();
  if (hosts_.size() == 1 || own_listener_each) return nullptr;
  const std::uint32_t turn = next_dealt_.fetch_add(1, std::memory_order_relaxed);
  return hosts_[turn % hosts_.size()]->connections.get();
}

void server_core::pause_accepting() noexcept {
  order_all([](loop& each) { each.accept_again_after(accept_pause); });
}

}  // namespace dwell::inline v0
