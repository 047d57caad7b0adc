// How one end of a connection behaves, as Linux's tcp_input.c and tcp_close() do it.
#include "engine/simulated/byte_transfer.hpp"
#include "engine/simulated/network.hpp"

#include <algorithm>
#include <cerrno>

namespace dwell::inline v0 {
namespace {

constexpr std::uint64_t uncork_after = 200;
constexpr std::uint64_t first_retransmission = 200;
constexpr std::uint64_t last_retransmission = 120'000;
constexpr std::uint32_t time_wait_lasts = 60'000;
constexpr std::uint32_t orphan_fin_wait2_lasts = 60'000;  // net.ipv4.tcp_fin_timeout
constexpr std::uint64_t held_patience = 924'000;          // net.ipv4.tcp_retries2
constexpr std::uint64_t orphan_patience = 107'000;        // net.ipv4.tcp_orphan_retries

}  // namespace

// ── sending ──
tcp_flow& network::flow_from(tcp_connection& c, side from) {
  auto& out = c[from].out;
  if (!out) {
    out = std::make_unique<tcp_flow>();
    out->window = out->advertised = receive_buffer(c, other(from));
  }
  return *out;
}

/// An empty flow is not kept.
void network::tidy(tcp_connection& c, side from) {
  const auto& f = c[from].out;
  if (f && f->unsent.empty() && f->unread.empty() && f->wire.empty() && f->unacknowledged == 0 &&
      f->window == receive_buffer(c, other(from)) && f->advertised == f->window) {
    c[from].out.reset();
  }
}

/// False when it was already, or nobody is there to get it.
bool network::queue_fin(tcp_connection& c, side from) {
  tcp_end& end = c[from];
  if (end.fin_queued) return false;
  if (end.state == TCP_ESTABLISHED) {
    enter(c, from, TCP_FIN_WAIT1);
  } else if (end.state == TCP_CLOSE_WAIT) {
    enter(c, from, TCP_LAST_ACK);
  } else {
    return false;
  }
  end.fin_queued = true;
  transmit(c, from, false);
  return true;
}

/// Sends what the window allows. Corked: only whole segments, and the rest with the FIN or after
/// 200 ms.
void network::transmit(tcp_connection& c, side from, bool whole_segments) {
  tcp_end& end = c[from];
  while (end.state != TCP_CLOSE && (end.out || (end.fin_queued && !end.fin_sent))) {
    tcp_flow& f = flow_from(c, from);
    const std::uint32_t open = f.window - std::min(f.window, f.unacknowledged);
    std::size_t count = std::min<std::size_t>(f.unsent.size(), open);
    if (whole_segments && !end.fin_queued) {
      count -= count % mss;
      if (count < f.unsent.size() && !end.cork_timer_runs) {
        end.cork_timer_runs = true;
        schedule(now_ + uncork_after, event_kind::uncork, c, from);
      }
    }
    if (count > 1 && random_.chance(faults.short_reads)) {
      count = 1 + random_.below(std::min<std::size_t>(count, 64));
    }
    const bool fin = end.fin_queued && !end.fin_sent && count == f.unsent.size();
    if (count == 0 && !fin) break;

    segment next;
    next.fin = end.fin_sent = fin || end.fin_sent;
    move_bytes(pool_, f.unsent, next.payload, count);
    f.unacknowledged += static_cast<std::uint32_t>(count);
    put_on_wire(c, from, std::move(next));
    if (fin) break;
  }
  watch_patience(c, from);
}

void network::put_on_wire(tcp_connection& c, side from, segment what) {
  if (c.vanished) return;
  tcp_flow& f = flow_from(c, from);
  what.sent = now_;
  if (what.reset) {
    forget_lost(f);
    if (random_.chance(faults.loss)) return;
  } else if (!what.payload.empty() || what.fin) {
    std::uint64_t wait = first_retransmission + 2 * faults.delay;
    for (; random_.chance(faults.loss); wait = std::min(2 * wait, last_retransmission)) {
      what.sent += wait;
    }
  }
  what.arrives = what.sent + faults.delay;
  if (faults.jitter > 0) what.arrives += random_.below(faults.jitter + 1);
  if (!f.wire.empty()) what.arrives = std::max(what.arrives, f.wire.back().arrives);
  schedule(what.arrives, event_kind::arrival, c, from);
  f.wire.push_back(std::move(what));
}

/// A reset connection retransmits nothing: its RST comes before what was lost, and instead of it.
void network::forget_lost(tcp_flow& f) const {
  const auto lost = std::find_if(f.wire.begin(), f.wire.end(),
                                 [this](const segment& each) { return each.sent > now_; });
  f.wire.erase(lost, f.wire.end());
}

void network::send_reset(tcp_connection& c, side from) {
  if (auto& f = c[from].out) f->unsent.clear();
  enter(c, from, TCP_CLOSE);
  segment last;
  last.reset = true;
  put_on_wire(c, from, std::move(last));
}

// ── receiving ──

void network::arrive(tcp_connection& c, side from) {
  {
    if (!c[from].out) return;  // forgotten
    tcp_flow& f = *c[from].out;
    if (f.wire.empty() || f.wire.front().arrives > now_) return;
    segment what = std::move(f.wire.front());
    f.wire.erase(f.wire.begin());
    if (from == side::client) c.heard_at = now32();
    if (!c.vanished) take(c, other(from), what);
  }
  tidy(c, from);
  tidy(c, other(from));
}

void network::take(tcp_connection& c, side at, segment& what) {
  tcp_end& end = c[at];
  expire(c, at);
  if (what.reset) return take_reset(c, at);
  if (end.state == TCP_CLOSE) {
    if (!what.payload.empty() || what.fin) send_reset(c, at);
    return;
  }
  if (what.is_acknowledgement) take_acknowledgement(c, at, what);
  const std::size_t count = what.payload.size();
  if (end.state == TCP_CLOSE || (count == 0 && !what.fin)) return;

  // Any byte that reaches an orphan resets it, and drops what is unacknowledged.
  if (count > 0 && !end.held) return send_reset(c, at);
  segment answer;
  answer.is_acknowledgement = true;
  answer.acknowledges = static_cast<std::uint32_t>(count);
  answer.acknowledges_fin = what.fin;
  tcp_flow& in = *c[other(at)].out;
  move_bytes(pool_, what.payload, in.unread, count);
  in.advertised = answer.window =
      receive_buffer(c, at) - static_cast<std::uint32_t>(in.unread.size());
  if (what.fin) {
    end.fin_received = true;
    if (end.state == TCP_ESTABLISHED) enter(c, at, TCP_CLOSE_WAIT);
    if (end.state == TCP_FIN_WAIT1) enter(c, at, TCP_CLOSING);
    if (end.state == TCP_FIN_WAIT2) enter(c, at, TCP_TIME_WAIT);
  }
  put_on_wire(c, at, std::move(answer));
  notify(c, at);
}

void network::take_acknowledgement(tcp_connection& c, side at, const segment& what) {
  tcp_end& end = c[at];
  if (end.out) {
    end.out->unacknowledged -= what.acknowledges;
    end.out->window = what.window;
  }
  if (what.acknowledges > 0 || what.acknowledges_fin) end.outstanding_since = now32();
  if (what.acknowledges_fin) {
    if (end.state == TCP_FIN_WAIT1) {
      enter(c, at, TCP_FIN_WAIT2);
      if (!end.held && end.no_time_wait) return send_reset(c, at);
    } else if (end.state == TCP_CLOSING) {
      enter(c, at, TCP_TIME_WAIT);
    } else if (end.state == TCP_LAST_ACK) {
      enter(c, at, TCP_CLOSE);
    }
  }
  transmit(c, at, end.corked);
  notify(c, at);
}

void network::take_reset(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  if (end.state == TCP_CLOSE) return;
  end.time_wait = false;  // unless tcp_rfc1337 is set, a reset ends it
  fail(c, at, end.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

/// The socket is dead; its owner, if any, reads the error after what has arrived.
void network::fail(tcp_connection& c, side at, int error) {
  tcp_end& end = c[at];
  if (end.held && end.state != TCP_TIME_WAIT) end.error = static_cast<std::int16_t>(error);
  if (auto& f = end.out) {
    f->unacknowledged += static_cast<std::uint32_t>(f->unsent.size());  // SIOCOUTQ still says so
    f->unsent.clear();
  }
  enter(c, at, TCP_CLOSE);
  notify(c, at);
}

void network::drop_unread(tcp_connection& c, side at) {
  if (auto& in = c[other(at)].out) in->unread.clear();
}

void network::enter(tcp_connection& c, side at, std::uint8_t state) {
  tcp_end& end = c[at];
  end.state = state;
  end.since = now32();
  if (state == TCP_TIME_WAIT) end.time_wait = true;
}

/// States of orphans that end by themselves; nobody can tell when, so it is enough to do it when
/// somebody asks.
void network::expire(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  if (end.held) return;
  const std::uint32_t age = now32() - end.since;
  const auto& linger2 = listeners_[c.listener].options.socket.linger2;
  const std::uint32_t orphan = at == side::server && linger2
                                   ? static_cast<std::uint32_t>(duration{*linger2}.count())
                                   : orphan_fin_wait2_lasts;
  if ((end.state == TCP_TIME_WAIT && age >= time_wait_lasts) ||
      (end.state == TCP_FIN_WAIT2 && age >= orphan)) {
    enter(c, at, TCP_CLOSE);
  }
}

// ── TCP_USER_TIMEOUT ──

bool network::outstanding(const tcp_connection& c, side at) const noexcept {
  const std::uint8_t state = c[at].state;
  return state != TCP_CLOSE && state != TCP_TIME_WAIT && unacknowledged(c, at) > 0;
}

/// How long this end waits for an acknowledgement. The kernel notices at a retransmission, thus
/// later.
std::uint64_t network::patience(const tcp_connection& c, side at) const noexcept {
  const duration set = at == side::server ? listeners_[c.listener].options.user_timeout : off;
  if (set != off) return static_cast<std::uint64_t>(set.count() + set.count() / 10 + 1);
  if (at == side::client && c.caller && c.caller->user_timeout != 0) {
    return c.caller->user_timeout + c.caller->user_timeout / 10 + 1;
  }
  return c[at].held ? held_patience : orphan_patience;
}

void network::watch_patience(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  if (end.timer_runs || !outstanding(c, at)) return;
  end.timer_runs = true;
  end.outstanding_since = now32();
  schedule(now_ + patience(c, at), event_kind::patience, c, at);
}

void network::check_patience(tcp_connection& c, side at) {
  tcp_end& end = c[at];
  end.timer_runs = false;
  if (!outstanding(c, at)) return;
  const std::uint32_t waited = now32() - end.outstanding_since;
  if (waited >= patience(c, at)) {
    fail(c, at, ETIMEDOUT);
    return tidy(c, at);
  }
  end.timer_runs = true;
  schedule(now_ + patience(c, at) - waited, event_kind::patience, c, at);
}

}  // namespace dwell::inline v0
