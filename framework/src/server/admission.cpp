#include "base/descriptor_reserve.hpp"
#include "server/core.hpp"

#include <algorithm>
#include <stdexcept>
#include <sys/resource.h>

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
  if (admitted_.fetch_add(1, std::memory_order_relaxed) < capacity()) {
    if (is_client_) begin_work();
    return true;
  }
  admitted_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void server_core::readmit() noexcept {
  // Sequentially consistent, as what wait_for_room does: one of the two sees the other.
  const std::uint64_t before = admitted_.fetch_sub(1);
  if (is_client_) return end_work();
  if (before > limit_.load()) return;  // it has been lowered: there is no room yet
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

std::uint64_t server_core::cut_to_descriptors(std::uint64_t connections) const {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return connections;
  const std::uint64_t possible = connections_within(descriptors.rlim_cur, hosts_.size());
  if (connections > possible && connections != unlimited) {
    logger_->warn("connections = {} is cut to {}: RLIMIT_NOFILE is {}; raise it with `ulimit -n`",
                  connections, possible, descriptors.rlim_cur);
  }
  return std::min(connections, possible);
}

void server_core::cut_limit_to_descriptors() {
  limit_ = cut_to_descriptors(options_.connections);
  for (const auto& host : hosts_) host->connections->reserve(limit_);
}

std::uint64_t server_core::set_connections(std::uint64_t connections) {
  if (connections == 0) throw std::invalid_argument{"connections = 0: use at least 1"};
  const bool simulated = hosts_.front()->epoll == nullptr;  // and has no descriptors
  const std::uint64_t now = simulated ? connections : cut_to_descriptors(connections);
  // Before the flag is looked at, as wait_for_room() and readmit() do in the opposite order.
  limit_.store(now);
  order_all([now](loop& each) { each.reserve(now); });
  if (waiting_for_room_.exchange(false)) order_all([](loop& each) { each.accept(true); });
  return now;
}

loop* server_core::deal(loop&, const service& what) noexcept {
  if (hosts_.size() == 1 || what.has_listener_each()) return nullptr;
  const std::uint32_t turn = next_dealt_.fetch_add(1, std::memory_order_relaxed);
  return hosts_[turn % hosts_.size()]->connections.get();
}

void server_core::pause_accepting() noexcept {
  const duration pause = accept_pause(hosts_.size());
  order_all([pause](loop& each) { each.accept_again_after(pause); });
}

}  // namespace dwell::inline v0
