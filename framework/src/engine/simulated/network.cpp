#include "engine/simulated/network.hpp"

#include "engine/simulated/peer.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <limits>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <system_error>

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t ports_per_address = 50'000;
constexpr std::uint32_t first_client_port = 10'000;
constexpr std::uint32_t first_client_address = 0x0a000001;  // 10.0.0.1

}  // namespace

// ── time ──

void network::schedule(std::uint64_t at, event_kind kind, const tcp_connection& c, side from) {
  events_.push_back({at, static_cast<std::uint32_t>(random_.next()), c.index, kind, from});
  std::push_heap(events_.begin(), events_.end(), later);
}

bool network::run(std::uint64_t until, const std::function<bool()>& stop) {
  for (;;) {
    if (stop && stop()) return true;
    if (step()) {
      if (++steps_now_ > 1'000'000 + std::uint64_t{100} * connections_.size()) {
        throw std::runtime_error{"simulation: no progress at " + std::to_string(now_) +
                                 " ms: a loop keeps waking up for something it does not handle"};
      }
      continue;
    }
    std::uint64_t next =
        events_.empty() ? std::numeric_limits<std::uint64_t>::max() : events_.front().at;
    for (const network_host* host : hosts_) {
      if (host == nullptr) continue;
      if (const auto due = host->due()) next = std::min(next, *due);
    }
    now_ = std::max(now_, std::min(next, until));
    steps_now_ = 0;
    if (next > until) return false;
  }
}

/// One thing that happens now, drawn from all that could. False: nothing is left to happen at this
/// instant.
bool network::step() {
  network_host* chosen = nullptr;
  std::uint64_t candidates = 0;
  for (network_host* host : hosts_) {
    if (host != nullptr && host->has_work() && random_.below(++candidates) == 0) chosen = host;
  }
  const bool arrives = !events_.empty() && events_.front().at <= now_;
  if (arrives && (chosen == nullptr || random_.below(candidates + 1) == 0)) {
    const event what = events_.front();
    std::pop_heap(events_.begin(), events_.end(), later);
    events_.pop_back();
    happen(what);
    return true;
  }
  if (chosen == nullptr) return false;
  chosen->run_turn();
  return true;
}

void network::happen(const event& what) {
  tcp_connection& c = connections_[what.connection];
  switch (what.kind) {
    case event_kind::arrival: return arrive(c, what.from);
    case event_kind::patience: return check_patience(c, what.from);
    case event_kind::keepalive: return keep_alive(c);
    case event_kind::syn: return take_syn(c);
    case event_kind::syn_ack: return take_syn_ack(c);
    case event_kind::queue: return enqueue(c);
    case event_kind::peer_turn: return simulated_peer{*this, c}.run_turn();
    case event_kind::uncork:
      c[what.from].cork_timer_runs = false;
      return transmit(c, what.from, false);
  }
}

void network::notify(tcp_connection& c, side at) {
  if (!c[at].held) return;
  if (at == side::server) {
    if (c.accepted && hosts_[c.host] != nullptr) hosts_[c.host]->notice(c, at);
  } else if (c.caller) {
    if (hosts_[c.caller->host] != nullptr) hosts_[c.caller->host]->notice(c, at);
  } else if (!c.peer.turn_scheduled) {
    c.peer.turn_scheduled = true;
    schedule(now_, event_kind::peer_turn, c, at);
  }
}

// ── hosts and listeners ──

std::uint16_t network::add_host(network_host& host) {
  hosts_.push_back(&host);
  return static_cast<std::uint16_t>(hosts_.size() - 1);
}

void network::remove_host(std::uint16_t host) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (listeners_[i].host == host) close_listener(static_cast<std::uint16_t>(i));
  }
  hosts_[host] = nullptr;
}

std::uint16_t network::listen(std::uint16_t host, const listener_options& options) {
  listener made{host, options, {}};
  if (made.options.where.port == 0) made.options.where.port = next_port_++;
  for (const listener& there : listeners_) {
    if (!there.open || there.options.where.port != made.options.where.port) continue;
    if (options.joins && there.options.shared) continue;
    throw std::system_error{EADDRINUSE, std::generic_category(),
                            "listen on " + to_string(made.options.where)};
  }
  listeners_.push_back(std::move(made));
  return static_cast<std::uint16_t>(listeners_.size() - 1);
}

tcp_connection* network::accept(std::uint16_t from) {
  listener& l = listeners_[from];
  if (l.queue.empty()) return nullptr;
  tcp_connection& c = connections_[l.queue.front()];
  l.queue.pop_front();
  c.accepted = true;
  c.accepted_at = c.heard_at = now32();
  c[side::server].corked = l.options.cork;
  c[side::server].no_time_wait = l.options.no_time_wait;
  if (l.options.socket.keepalive) schedule(now_, event_kind::keepalive, c, side::server);
  return &c;
}

void network::close_listener(std::uint16_t which) {
  listener& l = listeners_[which];
  l.open = false;
  for (const std::uint32_t index : l.queue) reset(connections_[index], side::server);
  l.queue.clear();
}

// ── connections ──

tcp_connection& network::connect(std::uint16_t port) {
  const auto [index, c] = connections_.emplace();
  c.index = index;
  c[side::server].since = c[side::client].since = now32();
  if (!choose_listener(c, port)) {
    c[side::server].held = false;
    enter(c, side::server, TCP_CLOSE);
    fail(c, side::client, ECONNREFUSED);
  } else if (faults.delay == 0) {
    enqueue(c);
  } else {
    schedule(now_ + faults.delay, event_kind::queue, c, side::client);
  }
  return c;
}

/// One of those that share the port. False: nobody listens there.
bool network::choose_listener(tcp_connection& c, std::uint16_t port) {
  std::uint64_t candidates = 0;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (!listeners_[i].open || listeners_[i].options.where.port != port) continue;
    if (random_.below(++candidates) == 0) c.listener = static_cast<std::uint16_t>(i);
  }
  return candidates != 0;
}

void network::enqueue(tcp_connection& c) {
  listener& l = listeners_[c.listener];
  c.host = l.host;
  if (!l.open) return reset(c, side::server);
  l.queue.push_back(c.index);
}

/// Keepalive probes, seen from their outcome: a client that has vanished does not answer them.
void network::keep_alive(tcp_connection& c) {
  const listener_options& set = listeners_[c.listener].options;
  if (!c[side::server].held || c[side::server].state == TCP_CLOSE) return;
  const auto& probe = *set.socket.keepalive;
  const auto given_up =
      static_cast<std::uint64_t>(duration{probe.idle + probe.interval * probe.count}.count());
  if (!c.vanished) c.heard_at = std::max(c.heard_at, now32());
  if (now32() - c.heard_at >= given_up) {
    if (!outstanding(c, side::server)) return fail(c, side::server, ETIMEDOUT);
    c.heard_at = now32();
  }
  const auto wait = c.vanished ? given_up - (now32() - c.heard_at)
                               : static_cast<std::uint64_t>(duration{probe.idle}.count());
  schedule(now_ + wait, event_kind::keepalive, c, side::server);
}

socket_address network::address_of(std::uint32_t index) {
  sockaddr_storage raw{};
  auto& in = reinterpret_cast<sockaddr_in&>(raw);
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(first_client_address + index / ports_per_address);
  in.sin_port = htons(static_cast<std::uint16_t>(first_client_port + index % ports_per_address));
  return socket_address::from(raw);
}

std::optional<std::uint32_t> network::index_of(const endpoint& client) {
  in_addr raw{};
  if (inet_pton(AF_INET, client.address.c_str(), &raw) != 1) return {};
  const std::uint32_t address = ntohl(raw.s_addr);
  if (address < first_client_address || client.port < first_client_port) return {};
  return (address - first_client_address) * ports_per_address + (client.port - first_client_port);
}

}  // namespace dwell::inline v0
