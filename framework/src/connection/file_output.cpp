// A file on its way out: behind what is queued, in front of what is sent after it.
#include "connection/loop.hpp"

#include <algorithm>
#include <new>

namespace dwell::inline v0 {
namespace {

/// Of one connection, in a turn of its loop: then the others have theirs.
constexpr std::size_t file_per_turn = std::size_t{256} * 1024;

}  // namespace

bool loop::send_file(slot& c, file_part what) noexcept {
  if (!c.accepts_output() || c.sends_file) return false;
  if (what.of == nullptr || what.size == 0) return true;
  if (!c.rare) c.rare.reset(new (std::nothrow) uncommon{});
  if (!c.rare) {
    close(c, close_reason::overload, close_method::abort);
    return false;
  }
  c.rare->file.emplace(outgoing_file{
      .rest = std::move(what), .left_in_turn = file_per_turn, .turn = turn_, .after = {}});
  c.sends_file = c.above_high = c.sent_in_exchange = true;
  if (active_ != &c) mark(c, pending_work::advance);
  return true;
}

/// Sends what is queued before the file, and of the file what a turn allows. False when the
/// connection has ended by it.
bool loop::push_file(slot& c) noexcept {
  outgoing_file& out = *c.rare->file;
  if (out.turn != turn_) {
    out.turn = turn_;
    out.left_in_turn = file_per_turn;
  }
  try {
    const file_progress now = c.filtered ? push_filtered_file(c, out) : push_plain_file(c, out);
    if (now == file_progress::peer_lost) return false;
    if (now == file_progress::file_lost) return lose_file(c);
    if (out.rest.size == 0 && !end_file(c)) return false;
  } catch (const std::bad_alloc&) {
    decide(c, close_reason::overload, close_method::abort);
    step(c, lifecycle_event::abort);
    return false;
  }
  update_watermarks(c);
  return true;
}

/// What is gathered or queued leaves first, held back so that it shares a segment with the file.
loop::file_progress loop::push_before_file(slot& c) {
  const bytes fresh{gather_, gatherer_ == &c ? std::exchange(gathered_, 0) : 0};
  if (fresh.empty() && c.queue.empty()) return file_progress::goes_on;
  const sent result = fresh.empty() ? send_queued(c, after_this::file)
                                    : send_now(c, fresh, after_this::file);
  took(c, result.count);
  if (result.error != 0) {
    lose_peer(c, result.error);
    return file_progress::peer_lost;
  }
  if (fresh.empty()) {
    c.queue.consume(result.count);
  } else if (result.count < fresh.size()) {
    c.queue.append(*pool_, fresh.subview(result.count));
  }
  return file_progress::goes_on;
}

loop::file_progress loop::push_plain_file(slot& c, outgoing_file& out) {
  if (push_before_file(c) == file_progress::peer_lost) return file_progress::peer_lost;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.rest.size,
                                                                      out.left_in_turn));
  if (!c.queue.empty() || count == 0) return file_progress::goes_on;
  const bool fin_is_next = c.decided ? !c.input_ended : is_last_exchange(c);
  if (count == out.rest.size && out.after.empty() && fin_is_next && fin_follows(c) &&
      !c.io.corked) {
    io_->cork(c.io, true);
  }
  const sent_file result =
      io_->send_file(c.io, out.rest.of->descriptor(), out.rest.offset, count);
  took(c, result.count);
  if (result.error != 0) {
    lose_peer(c, result.error);
    return file_progress::peer_lost;
  }
  advance_file(out, result.count);
  return result.unreadable ? file_progress::file_lost : file_progress::goes_on;
}

/// The filter wants to see the bytes: they are read behind what is gathered, and what the kernel
/// does not take of one piece waits before the next is read.
loop::file_progress loop::push_filtered_file(slot& c, outgoing_file& out) {
  std::size_t head = gatherer_ == &c ? std::exchange(gathered_, 0) : 0;
  if (!c.queue.empty()) {
    const sent result = send_queued(c, after_this::file);
    took(c, result.count);
    if (result.error != 0) {
      lose_peer(c, result.error);
      return file_progress::peer_lost;
    }
    c.queue.consume(result.count);
  }
  while (head != 0 || (c.queue.empty() && out.left_in_turn != 0 && out.rest.size != 0)) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(
        {out.rest.size, out.left_in_turn, engine::input_buffer_size - head}));
    const std::ptrdiff_t got = out.rest.of->read(out.rest.offset, {gather_ + head, count});
    if (got < 0 || static_cast<std::size_t>(got) < count) return file_progress::file_lost;
    filtered_.clear();
    filter_output(c, bytes{gather_, head + count});
    head = 0;
    advance_file(out, count);
    const sent result =
        c.queue.empty() ? send_now(c, bytes{filtered_}, after_this::anything) : sent{};
    took(c, result.count);
    if (result.error != 0) {
      lose_peer(c, result.error);
      return file_progress::peer_lost;
    }
    c.queue.append(*pool_, bytes{filtered_}.subview(result.count));
  }
  return file_progress::goes_on;
}

void loop::advance_file(outgoing_file& out, std::size_t count) noexcept {
  out.rest.offset += count;
  out.rest.size -= count;
  out.left_in_turn -= count;
}

/// The file is sent: what was sent after it is next. False when the connection has ended by it.
bool loop::end_file(slot& c) {
  byte_queue after = std::move(c.rare->file->after);
  drop_file(c);
  if (after.empty() && !c.decided && !c.half_close_asked) return true;
  if (!c.filtered) {
    c.queue = std::move(after);  // nothing else was queued, or the file would not have been sent
  } else {
    while (!after.empty()) {
      iovec part;
      after.gather({&part, 1});
      queue_output(c, {static_cast<const std::byte*>(part.iov_base), part.iov_len});
      after.consume(part.iov_len);
    }
  }
  return push(c);
}

void loop::drop_file(slot& c) noexcept {
  if (!c.sends_file) return;
  c.sends_file = false;
  c.rare->file.reset();
  if (!c.rare->overrides && !c.rare->filter) c.rare.reset();
}

/// It has become shorter, or cannot be read any more: what the peer has must not look like all of
/// it.
bool loop::lose_file(slot& c) {
  owner_->log_failure(c, "a file that is being sent has become shorter, or cannot be read");
  decide(c, close_reason::handler_failed, close_method::abort);
  step(c, lifecycle_event::abort);
  return false;
}

}  // namespace dwell::inline v0
