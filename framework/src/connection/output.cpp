#include "connection/loop.hpp"

#include <array>
#include <cstring>
#include <new>

namespace dwell::inline v0 {
namespace {

/// From this size on a send goes out at once: the copy would cost more than the call saves.
constexpr std::size_t worth_a_call = std::size_t{16} * 1024;
constexpr std::size_t most_vectors = 16;

/// Bytes that fit into a segment of any path (the default MSS of RFC 9293, 3.7.1).
constexpr std::size_t one_segment = 536;

}  // namespace

std::size_t loop::queued(const slot& c) const noexcept {
  const std::size_t first = c.queue.size() + (gatherer_ == &c ? gathered_ : 0);
  if (!c.sends_file) [[likely]]
    return first;
  return first + static_cast<std::size_t>(c.rare->file->rest.size) + c.rare->file->after.size();
}

bool loop::send(slot& c, bytes data) noexcept {
  if (!c.accepts_output()) return false;
  if (data.empty()) return true;
  c.sent_in_exchange = true;
  if (c.sends_file) [[unlikely]]
    return send_after_file(c, data);
  try {
    if (active_ != &c || !c.queue.empty()) {
      queue_output(c, data);
      if (active_ != &c) mark(c, pending_work::advance);
    } else if (data.size() < worth_a_call && gathered_ + data.size() <= engine::input_buffer_size) {
      std::memcpy(gather_ + gathered_, data.data(), data.size());
      gathered_ += data.size();
      return true;
    } else if (c.filtered) {
      send_filtered(c, data);
    } else {
      push_with(c, data);
    }
  } catch (const std::bad_alloc&) {
    close(c, close_reason::overload, close_method::abort);
    return false;
  }
  update_watermarks(c);
  if (c.queue.size() > c.options().limits.output) close(c, close_reason::write_timeout);
  return !c.decided;
}

void loop::queue_output(slot& c, bytes data) {
  if (!c.filtered) return c.queue.append(*pool_, data);
  filtered_.clear();
  filter_output(c, data);
  c.queue.append(*pool_, filtered_);
}

/// Sends the gathered output and `more` in one call, and queues what the kernel does not take.
void loop::push_with(slot& c, bytes more) {
  if (is_last_exchange(c) && fin_follows(c) && !c.io.corked) io_->cork(c.io, true);
  const std::size_t gathered = std::exchange(gathered_, 0);
  const std::array<iovec, 2> parts{iovec{gather_, gathered},
                                   iovec{const_cast<std::byte*>(more.data()), more.size()}};
  const sent result = io_->send(c.io, parts, after_this::anything);
  took(c, result.count);
  if (result.error != 0) {  // seen again, and acted upon, once the callback has returned
    c.queue.append(*pool_, more);
    return;
  }
  if (result.count < gathered) {
    c.queue.append(*pool_, bytes{gather_ + result.count, gathered - result.count});
  }
  const std::size_t of_more = result.count > gathered ? result.count - gathered : 0;
  if (of_more < more.size()) c.queue.append(*pool_, more.subview(of_more));
}

/// The last bytes and our FIN shall leave in one segment: sent apart, a client that knows the
/// length closes first, and where TIME_WAIT goes is a race.
bool loop::fin_follows(const slot& c) noexcept {
  return c.io.is_tcp && c.done != close_method::abort && c.done != close_method::peer_first;
}

/// The last bytes are about to be sent. A flag of the send holds them back for our FIN when they
/// are one segment and nothing is in flight: an acknowledgement would push them out (with
/// TCP_NODELAY), and then only TCP_CORK, a call more, keeps them.
after_this loop::before_fin(slot& c, std::size_t gathered) noexcept {
  if (c.io.corked) return after_this::anything;
  if (gathered != 0 && gathered <= one_segment && !c.maybe_unacknowledged) return after_this::fin;
  io_->cork(c.io, true);
  return after_this::anything;
}

/// No FIN follows what was sent: the kernel would keep its tail for 200 ms.
void loop::uncork(slot& c) noexcept {
  if (c.io.corked) io_->cork(c.io, false);
}

void loop::took(slot& c, std::size_t count) noexcept {
  if (count == 0) return;
  count_sent(c, count);
  c.last_activity = io_->now_tick();
  c.clock.progress(c.last_activity);
}

void loop::count_sent(slot& c, std::size_t count) noexcept {
  if (count == 0) return;
  if (!c.maybe_unacknowledged && c.io.is_tcp) {
    c.maybe_unacknowledged = c.nearer_deadline = true;
    c.acknowledged = static_cast<std::uint32_t>(c.sent_bytes);
    c.unacknowledged_since = io_->now_tick();
  }
  c.sent_bytes += count;
  c.counters().sent.add(count);
}

sent loop::send_now(slot& c, bytes data, after_this follows) noexcept {
  const iovec whole{const_cast<std::byte*>(data.data()), data.size()};
  return io_->send(c.io, {&whole, 1}, follows);
}

sent loop::send_queued(slot& c, after_this follows) noexcept {
  std::array<iovec, most_vectors> parts;
  return io_->send(c.io, std::span{parts}.first(c.queue.gather(parts)), follows);
}

/// Offers what waits to the kernel, in one call. False when the connection has ended by it.
bool loop::push(slot& c) noexcept {
  if (c.sends_file) return push_file(c);
  bytes fresh{gather_, gatherer_ == &c ? std::exchange(gathered_, 0) : 0};
  try {
    if (c.filtered) fresh = filter_gathered(c, fresh);
    if (fresh.empty() && c.queue.empty()) return true;
    const bool last = c.decided && !c.input_ended && fin_follows(c);
    const after_this follows = last ? before_fin(c, fresh.size()) : after_this::anything;

    // Output is gathered only while the queue is empty, so one of the two is.
    const sent result = fresh.empty() ? send_queued(c, follows) : send_now(c, fresh, follows);
    took(c, result.count);
    if (result.error != 0) {
      lose_peer(c, result.error);
      return false;
    }
    if (fresh.empty()) {
      c.queue.consume(result.count);
    } else if (result.count < fresh.size()) {
      c.queue.append(*pool_, fresh.subview(result.count));
    }
  } catch (const std::bad_alloc&) {
    decide(c, close_reason::overload, close_method::abort);
    step(c, lifecycle_event::abort);
    return false;
  }
  update_watermarks(c);
  return true;
}

void loop::update_watermarks(slot& c) noexcept {
  const std::size_t size = c.queue.size();
  if (!c.above_high) {
    c.above_high = size > c.options().limits.high_watermark;
  } else if (!c.sends_file && size < c.options().limits.low_watermark) {
    c.above_high = false;
    mark(c, pending_work::tell_writable);
    mark(c, pending_work::redeliver);
  }
}

}  // namespace dwell::inline v0
