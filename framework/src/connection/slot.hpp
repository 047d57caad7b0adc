#pragma once

#include <dwell/closing/close_record.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/file.hpp>

#include "base/byte_buffer.hpp"
#include "base/byte_queue.hpp"
#include "closing/lifecycle.hpp"
#include "connection/service.hpp"
#include "deadline/phase_clock.hpp"
#include "engine/engine.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace dwell::inline v0 {

class attachment;
class outgoing;

/// Work that a call on a connection causes, done in the same turn after the running callback has
/// returned.
enum class pending_work : std::uint8_t {
  none = 0,
  advance = 1,           ///< flush, close, count exchanges: whatever the state asks for
  redeliver = 2,         ///< resumed: input that was kept, or waits in the kernel
  tell_writable = 4,     ///< the output queue fell below the low watermark
  tell_flushed = 8,      ///< the output queue is empty, and that is waited for
  leave = 16,            ///< idle while the server drains
  resume_awaiting = 32,  ///< a coroutine of another connection can go on
  tell_closing = 64,     ///< that it closes is decided, and takes longer than this turn
  tell_end = 128,        ///< the peer has said that it sends no more, and its FIN does not come
};

/// A file on its way out, once what is queued before it has left.
struct outgoing_file {
  file_part rest;
  std::size_t left_in_turn;  // bytes
  std::uint16_t turn;        // the loop's, low half
  byte_queue after;          // what was sent after it, not filtered yet

  void advance(std::size_t count) noexcept {
    rest.offset += count;
    rest.size -= count;
    left_in_turn -= count;
  }
};

/// What few connections have, so that it costs the others one pointer.
struct uncommon {
  std::unique_ptr<deadlines> overrides{};   ///< set_deadline's; null: the service's
  std::unique_ptr<stream_filter> filter{};  ///< TLS; null: what comes is what the handler sees
  std::unique_ptr<outgoing_file> file{};
  outgoing* waiting = nullptr;       ///< whoever made it, until the handshake is done
  socket_address proxy{};            ///< that it came through; `peer` is the client then
  bool awaits_proxy_header = false;  ///< `filter` is a proxy_header_reader

  bool came_by_proxy() const noexcept { return proxy.family() != 0; }
  bool is_empty() const noexcept {
    return !overrides && !filter && !file && waiting == nullptr && !came_by_proxy();
  }
};

/// A connection's memory, in its loop's slab. Everything an idle connection costs is here (and 12
/// bytes in the reaper), so fields are ordered by size and the order is not the story: the groups
/// are.
struct slot final : connection {
  slot(hosted_service& hosted, const socket_address& from, std::uint64_t number, std::uint64_t now)
      : service{&hosted},
        opened_at{now},
        peer{from},
        clock{dwell::phase::idle, tick{static_cast<std::uint32_t>(now)}},
        last_activity{tick{static_cast<std::uint32_t>(now)}},
        generation_high{static_cast<std::uint32_t>(number >> 32U)} {
    io.generation = static_cast<std::uint32_t>(number);
  }

  hosted_service* service;
  void* session = nullptr;
  byte_buffer kept;  // input the handler has not consumed
  byte_queue queue;  // output the kernel has not taken
  std::unique_ptr<uncommon> rare;
  attachment* attachments = nullptr;  // after() timers and spawned coroutines
  std::uint64_t opened_at;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  socket_address peer;
  stream io;
  phase_clock clock;
  tick last_activity;
  tick unacknowledged_since{0};  // valid while maybe_unacknowledged
  union {
    std::uint32_t acknowledged = 0;  // low half of the bytes known to be acknowledged
    std::uint32_t next_freed;        // once the slot is done with
  };
  std::uint32_t stalls_seen = 0;  // the loop's total when the handle phase began
  std::uint32_t finished_exchanges = 0;
  std::uint32_t generation_high;
  std::uint32_t next_dirty = 0;
  union {
    std::uint32_t unread = 0;  // once decided: input that nobody was given
    tick watched_since;        // before: the watchdog's, while peer_done; and again once released
  };
  std::uint32_t reap_raced = 0;
  std::uint16_t owed = 0;  // answers owed: handle phase
  std::int16_t error = 0;
  lifecycle_state state = lifecycle_state::open;
  close_reason why = close_reason::finished;  // valid once decided
  close_method planned = close_method::graceful;
  close_method done = close_method::graceful;
  dwell::phase ended_in = dwell::phase::idle;
  std::uint16_t looked_in = 0;    // the turn of the last receive, low half
  std::uint8_t work = 0;          // pending_work bits
  std::uint8_t poll_backoff = 0;  // settling: log2 of the next wait in ms

  bool decided : 1 = false;  // the end is: `why` says which
  bool dirty : 1 = false;    // is on the loop's dirty list
  bool paused : 1 = false;
  bool yielded : 1 = false;      // what was kept comes again, before more is read
  bool input_ended : 1 = false;  // the peer's FIN was read
  bool fin_sent : 1 = false;
  bool open_after_fin : 1 = false;     // when ours left, the peer's had not come
  bool closed_before_fin : 1 = false;  // it had come and was not read yet
  bool half_close_asked : 1 = false;
  bool peer_gone : 1 = false;   // HUP while nobody read: the kernel's set no longer has it
  bool above_high : 1 = false;  // output above the high watermark: no more input
  bool maybe_unacknowledged : 1 = false;
  bool sent_in_exchange : 1 = false;
  bool delimits : 1 = false;      // the handler marks messages itself
  bool message_open : 1 = false;  // delimits: read phase
  bool answering : 1 = false;     // delimits: handle phase
  bool announced : 1 = false;
  bool lingered : 1 = false;
  bool reaped : 1 = false;               // what comes now has crossed our FIN
  bool linger : 1 = false;               // more input may come: the lingering form
  bool told_to_leave : 1 = false;        // by this answer, since the server drains
  bool exchange_over : 1 = false;        // in a drain: the running callback has finished one
  bool close_when_answered : 1 = false;  // the peer's FIN came and nobody minds
  bool flush_awaited : 1 = false;        // tell the handler when the queue is empty
  bool nearer_deadline : 1 = true;       // one came into force that the reaper does not know of
  bool more_input : 1 = false;           // the last receive filled the buffer
  bool spoken : 1 = false;               // the handler was given something, or shall be
  bool opened : 1 = false;               // on_open ran: on_close is due
  bool frame_outlives : 1 = false;       // released, but the handler's coroutine is suspended
  bool outlived : 1 = false;             // released, but some coroutine is suspended
  bool peer_done : 1 = false;            // the peer's FIN has come, read or not: the watchdog runs
  bool held : 1 = false;                 // the watchdog has named it
  bool outbound : 1 = false;             // we have connected
  bool awaited : 1 = false;              // its session is an awaited_session
  bool filtered : 1 = false;             // it has a stream_filter
  bool part_held : 1 = false;            // the filter has a part of something
  bool said_end : 1 = false;             // the peer has, by its filter's protocol
  bool told_end : 1 = false;             // the handler knows that the peer sends no more
  bool sends_file : 1 = false;           // it has an outgoing_file
  bool refused : 1 = false;              // it is told that there is no room, and no more
  bool has_reap_turn : 1 = false;        // it was to be reaped, and waits for its turn
  bool has_address_counted : 1 = false;  // in address_limits

  std::uint64_t generation() const noexcept {
    return std::uint64_t{generation_high} << 32U | io.generation;
  }
  const service_options& options() const noexcept { return service->of->options; }
  service_counters& counters() const noexcept { return service->counters; }
  const deadlines& limits() const noexcept {
    return rare && rare->overrides ? *rare->overrides : options().deadlines;
  }
  /// Lets the file go that is on its way, if there is one.
  void drop_file() noexcept {
    if (!sends_file) return;
    sends_file = false;
    rare->file.reset();
    drop_rare_if_empty();
  }
  void drop_rare_if_empty() noexcept {
    if (rare && rare->is_empty()) rare.reset();
  }
  /// Only where `filtered`.
  stream_filter& filter() const noexcept { return *rare->filter; }
  const connection_handler& handler() const noexcept { return *service->of->what; }
  /// A request has left, and nothing of its answer has come.
  bool awaits_answer() const noexcept { return outbound && sent_in_exchange; }
  bool is_released() const noexcept { return state == lifecycle_state::closed; }
  bool accepts_output() const noexcept {
    return opened && !decided && !fin_sent && !half_close_asked && !is_released();
  }
};

inline slot& as_slot(connection& peer) noexcept { return static_cast<slot&>(peer); }
inline const slot& as_slot(const connection& peer) noexcept {
  return static_cast<const slot&>(peer);
}

}  // namespace dwell::inline v0
