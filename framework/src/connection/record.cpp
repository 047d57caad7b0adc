#include "connection/address_limits.hpp"
#include "connection/loop.hpp"

#include <cerrno>
#include <netinet/tcp.h>

namespace dwell::inline v0 {
namespace {

/// A reset that was planned comes too late once both FINs are out.
close_method carried_out(const slot& c, dwell::release how) noexcept {
  if (how == dwell::release::reset) return close_method::abort;
  return c.done == close_method::abort ? close_method::graceful : c.done;
}

}  // namespace

close_record loop::make_record(slot& c, dwell::release how) {
  close_record record{.reason = c.why,
                      .phase = c.ended_in,
                      .first = first_closer::here,
                      .planned = c.planned,
                      .done = carried_out(c, how),
                      .lingered = c.lingered,
                      .error = c.error,
                      .unsent = queued(c),
                      .unacknowledged = {},
                      .unread = c.unread + c.kept.size(),
                      .reap_raced = c.reap_raced,
                      .age = duration{static_cast<std::int64_t>(io_->now() - c.opened_at)},
                      .exchanges = c.finished_exchanges,
                      .received = c.received_bytes,
                      .sent = c.sent_bytes};
  place_time_wait(c, how, record);
  if (how == dwell::release::reset && c.io.is_tcp) {
    record.unacknowledged = c.maybe_unacknowledged ? io_->unacknowledged(c.io) : 0;
  }
  return record;
}

void loop::count_close(slot& c, const close_record& record) noexcept {
  if (c.has_address_counted) c.service->of->addresses->leave(c.peer);
  service_counters& counters = c.counters();
  counters.released.add();
  counters.closed[static_cast<std::size_t>(record.reason)].add();
  counters.methods[static_cast<std::size_t>(record.done)].add();
  counters.time_wait[static_cast<std::size_t>(record.time_wait)].add();
  if (record.time_wait == time_wait::here || record.time_wait == time_wait::both) {
    counters.time_wait_here.add(io_->now());
  }
  if (record.certainty == certainty::observed) counters.observed.add();
}

/// Who closed first as far as this end saw, and where that leaves TIME_WAIT.
void loop::place_time_wait(slot& c, dwell::release how, close_record& record) {
  const auto place = [&record](first_closer who, time_wait where, certainty how_sure) {
    record.first = who;
    record.time_wait = where;
    record.certainty = how_sure;
  };
  const bool peer_first = c.error != 0 || (c.input_ended && !c.fin_sent);
  const first_closer who = peer_first ? first_closer::peer : first_closer::here;
  if (!c.io.is_tcp) return place(who, time_wait::not_applicable, certainty::observed);
  if (c.error != 0) {
    const bool reset = c.why == close_reason::peer_reset || c.error == ECONNRESET;
    return place(who, time_wait::nowhere, reset ? certainty::observed : certainty::expected);
  }
  if (how == dwell::release::reset) return place(who, time_wait::nowhere, certainty::expected);
  if (c.input_ended && !c.fin_sent) {
    return place(who, time_wait::there, certainty::expected);  // the passive close
  }
  if (!c.input_ended) {
    const bool without = how == dwell::release::fin_without_time_wait;
    return place(who, without ? time_wait::nowhere : time_wait::here, certainty::expected);
  }
  // Both FINs were seen from here, so the socket's state can tell: CLOSING means that they crossed,
  // LAST_ACK that the peer's was there before ours left, CLOSED that all is acknowledged. The last
  // follows either of the first two within a round trip: then what was seen when our FIN left
  // tells.
  const auto facts = io_->facts(c.io);
  if (!facts) return place(who, time_wait::here, certainty::expected);
  record.rtt = facts->rtt;
  if (facts->state == TCP_CLOSING) return place(who, time_wait::both, certainty::expected);
  if (facts->state == TCP_LAST_ACK || c.closed_before_fin) {
    return place(first_closer::peer, time_wait::there, certainty::observed);
  }
  const bool done = facts->state == TCP_CLOSE || facts->state == TCP_TIME_WAIT;
  place(who, time_wait::here, done && c.open_after_fin ? certainty::observed : certainty::expected);
}

}  // namespace dwell::inline v0
