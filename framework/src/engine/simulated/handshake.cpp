// How an engine's connection comes about: SYN, its answer or a refusal, and the queue of who
// listens.
#include "engine/simulated/network.hpp"

#include <cerrno>

namespace dwell::inline v0 {
namespace {

constexpr std::uint64_t first_syn_timeout = 1'000;  // RFC 6298; doubled each time

}  // namespace

tcp_connection& network::connect_from(std::uint16_t host, std::uint16_t port, int syn_retries) {
  const auto [index, c] = connections_.emplace();
  c.index = index;
  c.caller = std::make_unique<engine_client>();
  c.caller->host = host;
  c.caller->port = port;
  c[side::server].since = now32();
  enter(c, side::client, TCP_SYN_SENT);
  std::uint64_t waited = 0;
  std::uint64_t timeout = first_syn_timeout;
  for (int sent = 0; random_.chance(faults.syn_loss); ++sent, timeout *= 2) {
    waited += timeout;
    if (sent < syn_retries) continue;
    c.vanished = true;
    schedule(now_ + waited, event_kind::syn_ack, c, side::server);
    return c;
  }
  schedule(now_ + waited + faults.delay, event_kind::syn, c, side::client);
  return c;
}

/// The port is looked at when the SYN is there.
void network::take_syn(tcp_connection& c) {
  if (!choose_listener(c, c.caller->port)) {
    c[side::server].held = false;
    enter(c, side::server, TCP_CLOSE);
  }
  schedule(now_ + faults.delay, event_kind::syn_ack, c, side::server);
}

/// Who has given up meanwhile answers with a reset, and nobody ever accepts the connection.
void network::take_syn_ack(tcp_connection& c) {
  if (!c[side::client].held) {
    c[side::server].held = false;
    return enter(c, side::server, TCP_CLOSE);
  }
  if (c.vanished) {
    c[side::server].held = false;
    enter(c, side::server, TCP_CLOSE);
    return fail(c, side::client, ETIMEDOUT);
  }
  if (c[side::server].state == TCP_CLOSE) return fail(c, side::client, ECONNREFUSED);
  enter(c, side::client, TCP_ESTABLISHED);
  notify(c, side::client);
  schedule(now_ + faults.delay, event_kind::queue, c, side::client);
}

}  // namespace dwell::inline v0
