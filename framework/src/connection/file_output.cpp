// A file on its way out: behind what is queued, in front of what is sent after it.
#include "connection/loop.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// Of one connection, in a turn of its loop: then the others have theirs.
constexpr std::size_t file_per_turn = std::size_t{256} * 1024;

}  // namespace

bool loop::send_file(slot& c, file_part what) noexcept {
  if (!c.accepts_output() || c.sends_file) return false;
  if (what.of == nullptr || what.size == 0) return true;
  try {
    if (!c.rare) c.rare = std::make_unique<uncommon>();
    c.rare->file = std::make_unique<outgoing_file>(outgoing_file{
        .rest = std::move(what), .left_in_turn = file_per_turn, .turn = turn_, .after = {}});
  } catch (const std::bad_alloc&) {
    close(c, close_reason::overload, close_method::abort);
    return false;
  }
  c.sends_file = c.above_high = c.sent_in_exchange = true;
  if (active_ != &c) mark(c, pending_work::advance);
  return true;
}

bool loop::send_after_file(slot& c, bytes data) noexcept {
  byte_queue& after = c.rare->file->after;
  try {
    after.append(*pool_, data);
  } catch (const std::bad_alloc&) {
    close(c, close_reason::overload, close_method::abort);
    return false;
  }
  if (after.size() > c.options().limits.output) close(c, close_reason::write_timeout);
  return !c.decided;
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
    if (!c.queue.empty()) {
      const sent result = send_queued(c, after_this::file);
      if (!lives_after(c, result.count, result.error)) return false;
      c.queue.consume(result.count);
    }
    if (!(c.filtered ? push_filtered_file(c, out) : push_plain_file(c, out))) return false;
    if (out.rest.size == 0 && !end_file(c)) return false;
  } catch (const std::bad_alloc&) {
    decide(c, close_reason::overload, close_method::abort);
    step(c, lifecycle_event::abort);
    return false;
  }
  update_watermarks(c);
  return true;
}

/// Counts what the kernel has taken. False: there is no peer any more.
bool loop::lives_after(slot& c, std::size_t count, int error) {
  took(c, count);
  if (error != 0) lose_peer(c, error);
  return error == 0;
}

/// What is gathered leaves first, held back so that it shares a segment with the file.
bool loop::push_plain_file(slot& c, outgoing_file& out) {
  if (const bytes head{gather_, gatherer_ == &c ? std::exchange(gathered_, 0) : 0}; !head.empty()) {
    const sent result = send_now(c, head, after_this::file);
    if (!lives_after(c, result.count, result.error)) return false;
    c.queue.append(*pool_, head.subview(result.count));
  }
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.rest.size, out.left_in_turn));
  if (!c.queue.empty() || count == 0) return true;
  const bool fin_is_next = c.decided ? !c.input_ended : c.announced || is_last_exchange(c);
  const bool is_end = count == out.rest.size && out.after.empty() && fin_is_next;
  if (is_end && fin_follows(c) && !c.io.corked) io_->cork(c.io, true);
  const sent_file result = io_->send_file(c.io, out.rest.of->descriptor(), out.rest.offset, count);
  if (!lives_after(c, result.count, result.error)) return false;
  out.advance(result.count);
  return !result.unreadable || lose_file(c);
}

/// The filter wants to see the bytes: they are read behind what is gathered, and what the kernel
/// does not take of one piece waits before the next is read.
bool loop::push_filtered_file(slot& c, outgoing_file& out) {
  std::size_t head = gatherer_ == &c ? std::exchange(gathered_, 0) : 0;
  while (head != 0 || (c.queue.empty() && out.left_in_turn != 0 && out.rest.size != 0)) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(
        {out.rest.size, out.left_in_turn, engine::input_buffer_size - head}));
    const std::ptrdiff_t got = out.rest.of->read(out.rest.offset, {gather_ + head, count});
    if (got < 0 || static_cast<std::size_t>(got) < count) return lose_file(c);
    filtered_.clear();
    filter_output(c, bytes{gather_, head + count});
    head = 0;
    out.advance(count);
    const sent result =
        c.queue.empty() ? send_now(c, bytes{filtered_}, after_this::anything) : sent{};
    if (!lives_after(c, result.count, result.error)) return false;
    c.queue.append(*pool_, bytes{filtered_}.subview(result.count));
  }
  return true;
}

/// The file is sent: what was sent after it is next. False when the connection has ended by it.
bool loop::end_file(slot& c) {
  byte_queue after = std::move(c.rare->file->after);
  c.drop_file();
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

/// It has become shorter, or cannot be read any more: what the peer has must not look like all of
/// it.
bool loop::lose_file(slot& c) {
  owner_->log_failure(c, "a file that is being sent has become shorter, or cannot be read");
  decide(c, close_reason::handler_failed, close_method::abort);
  step(c, lifecycle_event::abort);
  return false;
}

}  // namespace dwell::inline v0
