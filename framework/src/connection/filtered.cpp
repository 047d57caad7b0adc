#include "connection/after_timer.hpp"
#include "connection/loop.hpp"
#include "connection/outgoing.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// Each costs a signature, 0.05 to 1 ms: whoever is served already must not wait for a flood of
/// them.
constexpr std::uint32_t handshakes_per_turn = 4;

/// What is filtered before it is sent; more would only wait in memory.
constexpr std::size_t piece = std::size_t{64} * 1024;

/// From a peer's close_notify to its FIN, when it closes: two system calls of its own.
constexpr duration until_its_fin{5};

void count_handshake(slot& c, handshake_result how) noexcept {
  c.counters().handshakes[static_cast<std::size_t>(how)].add();
}

}  // namespace

// ── input ──

void loop::on_raw(slot& c, bytes raw, bool more) {
  try {
    if (!c.opened) {
      if (c.rare->awaits_proxy_header) return on_proxy_header(c, raw, more);
      if (!has_turn(c, raw)) return;
    }
    const stream_filter::received got = unfilter(c, raw);
    if (!answer(c)) return;
    // What came behind the handshake may be data, and then what ends the connection.
    const bool failed = got.now == stream_filter::progress::failed;
    const bool has_opened = got.now != stream_filter::progress::opening && !failed;
    if (failed && !c.opened && got.size == 0 && !c.decided) {
      count_handshake(c, handshake_result::failed);
    }
    if (!c.opened && (has_opened || got.size != 0)) {
      finish_handshake(c);
      if (c.is_released()) return;
    }
    if (got.size != 0) {
      c.spoken = true;
      on_input(c, {unfiltered_.data(), got.size}, more);
    }
    if (c.is_released()) return;
    if (failed) close(c, close_reason::protocol_error);
    if (got.now == stream_filter::progress::ended) return end_of_messages(c);
    update_deadline(c);
  } catch (const std::bad_alloc&) {
    decide(c, close_reason::overload, close_method::abort);
    step(c, lifecycle_event::abort);
  }
}

/// False: too many others have begun in this turn, and this one goes on in the next, with what has
/// come until then.
bool loop::has_turn(slot& c, bytes raw) {
  const bool waits = c.yielded;  // and what comes now, behind what it waits with
  if (!waits && (c.decided || handshakes_in_turn_ < handshakes_per_turn)) {
    ++handshakes_in_turn_;
    return true;
  }
  c.kept.append(*pool_, raw);
  if (waits) return false;
  c.yielded = true;
  c.io.wants_input = false;
  handshakes_.push_back(id_of(c));
  io_->wake();
  return false;
}

void loop::resume_handshakes() {
  std::size_t resumed = 0;
  while (resumed < handshakes_.size() && handshakes_in_turn_ < handshakes_per_turn) {
    slot* const c = find(handshakes_[resumed++]);
    if (c == nullptr) continue;
    const std::vector<std::byte> raw{c->kept.view().begin(), c->kept.view().end()};
    c->kept.clear();
    c->yielded = false;
    on_raw(*c, bytes{raw}, raw.size() >= piece);
    if (!c->is_released()) update_watch(*c);
  }
  handshakes_.erase(handshakes_.begin(),
                    handshakes_.begin() + static_cast<std::ptrdiff_t>(resumed));
  if (!handshakes_.empty()) io_->wake();
}

stream_filter::received loop::unfilter(slot& c, bytes raw) {
  filtered_.clear();
  const std::size_t room = raw.size() + stream_filter::most_held;
  if (unfiltered_.size() < room) unfiltered_.resize(room);
  const stream_filter::received got = c.filter().receive(raw, unfiltered_, filtered_, io_->now());
  c.part_held = got.now == stream_filter::progress::open && c.filter().holds_part();
  return got;
}

void loop::finish_handshake(slot& c) {
  count_handshake(c, c.filter().resumed() ? handshake_result::resumed : handshake_result::full);
  c.clock.enter(phase::idle, io_->now_tick());
  c.last_activity = io_->now_tick();
  c.nearer_deadline = true;
  if (!c.outbound) return open(c);
  if (c.rare->waiting != nullptr) std::exchange(c.rare->waiting, nullptr)->on_secured();
}

/// What the filter itself has to say leaves at once, and is no activity of the connection. False:
/// that has ended it.
bool loop::answer(slot& c) {
  const bytes out{filtered_};
  if (out.empty() || c.decided || c.fin_sent) return true;
  if (!c.queue.empty()) {
    c.queue.append(*pool_, out);
    return true;
  }
  const sent result = send_now(c, out, after_this::anything);
  count_sent(c, result.count);
  if (result.error != 0) {
    lose_peer(c, result.error);
    return false;
  }
  if (result.count < out.size()) c.queue.append(*pool_, out.subview(result.count));
  return true;
}

/// The peer has said that it sends no more. Who closes then has its FIN on the heels of that: an
/// answer would meet a closed socket, and the reset would end the peer's TIME_WAIT. Who waits for
/// ours (RFC 8446, 6.1) gets it a moment later.
void loop::end_of_messages(slot& c) {
  if (look(c) && (c.is_released() || c.input_ended)) return;
  if (!c.said_end) {
    c.said_end = true;
    after_timer::start(c, until_its_fin,
                       [this](connection& peer) { mark(as_slot(peer), pending_work::tell_end); });
  }
  update_deadline(c);
}

/// What its handler would have seen of it: the peer's own goodbye is nothing that got lost.
std::size_t loop::unread_in(slot& c, bytes raw) noexcept {
  if (!c.filtered) return raw.size();
  try {
    return unfilter(c, raw).size;
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

// ── output ──

void loop::filter_output(slot& c, bytes data) { c.filter().send(data, filtered_); }

/// What was gathered, and the end when nothing follows, as it leaves. Empty when it was queued,
/// behind what is there.
bytes loop::filter_gathered(slot& c, bytes gathered) {
  filtered_.clear();
  if (!gathered.empty()) filter_output(c, gathered);
  end_output(c, !gathered.empty() || !c.queue.empty());
  if (c.queue.empty() || filtered_.empty()) return bytes{filtered_};
  c.queue.append(*pool_, filtered_);
  return {};
}

/// A peer that has sent its FIN knows the end; a further byte would be answered with a reset when
/// it has closed, and end its TIME_WAIT.
void loop::end_output(slot& c, bool had_output) noexcept {
  const bool ends = c.half_close_asked || (c.decided && c.done != close_method::abort);
  if (ends && !c.fin_sent && (had_output || !c.input_ended)) c.filter().end(filtered_);
}

/// Sends the gathered output and `data`, and queues what the kernel does not take.
void loop::send_filtered(slot& c, bytes data) {
  const std::array<bytes, 2> parts{bytes{gather_, std::exchange(gathered_, 0)}, data};
  for (bytes rest : parts) {
    while (!rest.empty()) {
      const bytes next = rest.first(std::min(piece, rest.size()));
      rest = rest.subview(next.size());
      filtered_.clear();
      filter_output(c, next);
      const sent result =
          c.queue.empty() ? send_now(c, bytes{filtered_}, after_this::anything) : sent{};
      took(c, result.count);
      c.queue.append(*pool_, bytes{filtered_}.subview(result.count));
    }
  }
  filtered_.clear();
}

}  // namespace dwell::inline v0
