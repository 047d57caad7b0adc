#include "admin/connection_facts.hpp"

#include <dwell/connection/connection.hpp>
#include <dwell/connection/options.hpp>
#include <dwell/tls/tls_facts.hpp>

#include "connection/loop.hpp"

#include <chrono>

namespace dwell::inline v0 {
namespace {

connection_state state_of(const connection& peer) noexcept {
  if (!peer.is_open()) return connection_state::closing;
  const slot& c = as_slot(peer);
  if (c.service->host->is_held(c)) return connection_state::held;
  return c.peer_done ? connection_state::peer_closed : connection_state::open;
}

}  // namespace

connection_facts facts_of(const connection& peer) noexcept {
  return {.id = peer.id(),
          .service = peer.options().name,
          .state = state_of(peer),
          .reason = peer.reason(),
          .phase = peer.phase(),
          .now = std::chrono::duration_cast<duration>(peer.now().time_since_epoch()),
          .age = peer.age(),
          .idle = peer.idle_for(),
          .time_left = peer.time_left(),
          .received = peer.received(),
          .sent = peer.sent(),
          .queued = peer.queued(),
          .exchanges = peer.exchanges(),
          .tls = peer.tls() == nullptr ? std::string_view{} : peer.tls()->version};
}

}  // namespace dwell::inline v0
