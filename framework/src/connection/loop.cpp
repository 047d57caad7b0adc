#include "connection/loop.hpp"

#include "connection/attachment.hpp"
#include "connection/awaited_session.hpp"
#include "connection/loop_coroutine.hpp"

#include <algorithm>

namespace dwell::inline v0 {
namespace {

constexpr std::uint32_t no_slot = 0xffff'ffff;
constexpr std::int64_t published_memory = std::int64_t{64} * 1024;
constexpr std::size_t posts_per_turn = 1'024;
constexpr std::size_t dirty_per_turn = 4'096;

thread_local loop* current_loop = nullptr;

/// Each may destroy itself, and attach others.
template <class Call>
void for_each_attachment(slot& c, Call&& call) {
  for (attachment* each = c.attachments; each != nullptr;) {
    attachment& that = *std::exchange(each, each->next());
    call(that);
  }
}

}  // namespace

loop::loop(std::uint32_t index, block_pool& pool, engine& io, loop_owner& owner,
           const loop_options& options)
    : index_{index},
      pool_{&pool},
      io_{&io},
      owner_{&owner},
      policy_{options.full},
      mail_{std::make_shared<mailbox>(io, options.mailbox)},
      reaper_{io.now_tick()},
      timers_{io},
      accept_pause_{io, timers_},
      freed_head_{no_slot},
      dirty_head_{no_slot},
      dirty_tail_{no_slot},
      gather_{pool.take(engine::input_buffer_size)},
      pressure_{.longest_turn = static_cast<std::uint64_t>(options.longest_turn.count()),
                .idle_share = options.idle_share,
                .pace = reap_pacer{options.reap_rate},
                .own_table = options.own_table},
      random_{0x9E3779B97F4A7C15U + index} {
  io.attach(*this);
}

loop::~loop() {
  destroy_all();
  pool_->give(gather_, engine::input_buffer_size);
}

loop* loop::current() noexcept { return current_loop; }
loop* loop::exchange_current(loop* next) noexcept { return std::exchange(current_loop, next); }

void loop::host(const service& what) {
  services_.push_back(std::make_unique<hosted_service>(*this, what));
}

slot* loop::find(connection_id id) noexcept {
  slot* const c = slots_.find(id.slot);
  return c != nullptr && c->generation() == id.generation && !c->is_released() ? c : nullptr;
}

stream* loop::find(std::uint32_t index, std::uint32_t generation) noexcept {
  if ((index & outgoing_slots) != 0) {
    outgoing** const o = outgoing_.find(index & ~outgoing_slots);
    return o != nullptr && (*o)->io.generation == generation ? &(*o)->io : nullptr;
  }
  slot* const c = slots_.find(index);
  return c != nullptr && c->io.generation == generation && !c->is_released() ? &c->io : nullptr;
}

void loop::prefetch(std::uint32_t index) noexcept {
  const slot* const c = slots_.find(index);
  if (c == nullptr) return;
  constexpr std::size_t cache_line = 64;
  const auto* const first = reinterpret_cast<const std::byte*>(c);
  for (std::size_t at = 0; at < sizeof(slot); at += cache_line) __builtin_prefetch(first + at);
}

std::uint32_t loop::visit(std::uint32_t from, std::uint32_t slots,
                          const std::function<void(connection&)>& call) {
  return slots_.visit(from, slots, [&](std::uint32_t, slot& c) {
    if (!c.is_released()) run_handler(c, [&] { call(c); });
  });
}

void loop::reserve(std::uint64_t connections) {
  // A million need 12 MB of it; whoever has more pays the copies.
  constexpr std::uint64_t most = 2'000'000;
  reaper_.reserve(static_cast<std::uint32_t>(std::min(connections, most)));
}

void loop::free_later(slot& c) noexcept { c.next_freed = std::exchange(freed_head_, c.io.slot); }

void loop::free_slots() {
  for (std::uint32_t index = std::exchange(freed_head_, no_slot); index != no_slot;) {
    slot& c = slots_[index];
    const std::uint32_t next = c.next_freed;
    if (c.dirty) {  // work was left for the next turn, and that finds it by this slot
      free_later(c);
      index = next;
      continue;
    }
    counter& freed = c.counters().freed;
    if (c.refused) --pressure_.refusing;
    slots_.erase(index);
    index = next;
    freed.add();
    counters_.slots = slots_.size();
    owner_->readmit();
  }
}

// ── running user code ──

void loop::enter(slot& c) noexcept {
  outer_ = current_loop;
  current_loop = this;
  active_ = &c;
  gatherer_ = &c;
}

void loop::leave(slot& c) noexcept {
  active_ = nullptr;
  current_loop = outer_;
  if (!c.is_released()) advance(c);
}

void loop::fail_handler(slot& c, const char* what) noexcept {
  owner_->log_failure(c, what);
  close(c, close_reason::handler_failed);
}

void loop::mark(slot& c, pending_work what) noexcept {
  c.work = static_cast<std::uint8_t>(c.work | static_cast<std::uint8_t>(what));
  if (c.dirty) return;
  c.dirty = true;
  append_dirty(c);
}

void loop::append_dirty(slot& c) noexcept {
  c.next_dirty = no_slot;
  if (dirty_tail_ == no_slot) {
    dirty_head_ = c.io.slot;
  } else {
    slots_[dirty_tail_].next_dirty = c.io.slot;
  }
  dirty_tail_ = c.io.slot;
}

/// A connection that is given its kept input again, and asks for more of it, waits for the next
/// turn: one that has sent many requests at once must not keep the others waiting.
void loop::do_marked() {
  const std::uint32_t last = dirty_tail_;
  bool second_helping = false;  // from here on: what this has caused itself
  std::uint32_t put_off = no_slot;
  for (std::size_t done = 0; dirty_head_ != no_slot && done < dirty_per_turn; ++done) {
    slot& c = slots_[dirty_head_];
    dirty_head_ = c.next_dirty;
    if (dirty_head_ == no_slot) dirty_tail_ = no_slot;
    if (second_helping && (c.work & static_cast<std::uint8_t>(pending_work::redeliver)) != 0 &&
        !c.kept.empty()) {
      c.next_dirty = std::exchange(put_off, c.io.slot);
    } else {
      c.dirty = false;
      do_work(c);
    }
    second_helping = second_helping || c.io.slot == last;
  }
  while (put_off != no_slot) {
    slot& c = slots_[put_off];
    put_off = c.next_dirty;
    append_dirty(c);
  }
  if (dirty_head_ != no_slot) io_->wake();  // the others are served before the rest of this
}

void loop::do_work(slot& c) {
  const auto asked = [work = std::exchange(c.work, std::uint8_t{0})](pending_work what) {
    return (work & static_cast<std::uint8_t>(what)) != 0;
  };
  if (asked(pending_work::tell_writable) && !c.is_released()) {
    run_handler(c, [&] {
      c.handler().on_writable(c, c.session);
      for_each_attachment(c, [](attachment& each) { each.on_writable(); });
    });
  }
  if (asked(pending_work::tell_flushed) && !c.is_released()) {
    run_handler(c, [&] {
      c.handler().on_flushed(c, c.session);
      for_each_attachment(c, [](attachment& each) { each.on_flushed(); });
    });
  }
  if (asked(pending_work::tell_closing) && !c.opened && !c.is_released()) tell_not_secured(c);
  if (asked(pending_work::tell_closing) && c.opened && !c.is_released()) {
    run_handler(c, [&] {
      c.handler().on_closing(c, c.session);
      for_each_attachment(c, [](attachment& each) {
        each.on_writable();
        each.on_flushed();
      });
    });
  }
  if (asked(pending_work::tell_end) && !c.decided && !c.is_released()) tell_end_of_input(c);
  if (asked(pending_work::redeliver) && !c.is_released()) redeliver(c);
  if (asked(pending_work::leave) && leaves_at_drain(c)) reap(c, close_reason::drain);
  if (asked(pending_work::resume_awaiting)) awaited_session::resume_ready(c);
  if (!c.is_released()) advance(c);
}

// ── engine_events ──

void loop::on_turn_begin() {
  ++turn_;
  reaped_in_turn_ = 0;
  handshakes_in_turn_ = 0;
  reaper_.advance(io_->now_tick());
  timers_.advance(io_->now_tick());
  // One tick more, so that an answer that was posted meanwhile comes before its deadline.
  if (io_->stalled_for() > 100)
    stalled_total_ += static_cast<std::uint32_t>(io_->stalled_for()) + 1;
  counters_.turn_began.store(io_->now(), std::memory_order_relaxed);
}

void loop::obey(std::uint8_t standing) {
  const auto is_asked = [standing](standing_order what) {
    return (standing & static_cast<std::uint8_t>(what)) != 0;
  };
  if (is_asked(standing_order::pause_accepting)) accept_again_after(owner_->accept_pause());
  if (is_asked(standing_order::look_for_room)) accept(!owner_->waits_for_room());
  if (is_asked(standing_order::heed_pressure)) pressure_changed();
  if (is_asked(standing_order::watch_pressure)) owner_->watch_pressure();
}

void loop::on_wake() {
  if (const std::uint8_t standing = mail_->take_standing(); standing != 0) obey(standing);
  if (more_to_reap_) collect();
  if (!handshakes_.empty()) resume_handshakes();
  relieve();
  if (drain_.walks()) sweep();
  if (!slices_.empty()) {
    unique_function<void(loop&)> run = std::move(slices_.front());
    slices_.pop_front();
    carry_out(std::move(run));
    if (!slices_.empty()) io_->wake();
  }
  std::size_t resumed = 0;
  for (; resumed < posts_per_turn; ++resumed) {
    suspension* const next = mail_->take_resumed();
    if (next == nullptr) break;
    next->resume();
  }
  if (resumed == posts_per_turn) io_->wake();
  // To the end of the mailbox, not of what was taken first: only what is put into an empty one
  // wakes.
  for (std::size_t done = 0; done < posts_per_turn; ++done) {
    if (posted_done_ == posted_.size()) {
      posted_ = mail_->take();
      posted_done_ = 0;
      if (posted_.empty()) return;
    }
    carry_out(std::move(posted_[posted_done_++]));
  }
  io_->wake();
}

void loop::carry_out(unique_function<void(loop&)> order) noexcept {
  try {
    order(*this);
  } catch (const std::exception& failure) {
    owner_->task_failed(failure.what());
  }
}

void loop::run_slice(unique_function<void(loop&)> slice) {
  if (mail_ended_) return;
  slices_.push_back(std::move(slice));
  io_->wake();
}

void loop::end_mail() noexcept {
  mail_ended_ = true;
  mail_->close();
  const auto unrun = std::exchange(slices_, {});
}

void loop::on_time() {
  collect();
  timers_.run();
}

void loop::on_writable(stream& to) { advance(of(to)); }

/// Nobody reads, so nobody would notice: remembered for when somebody asks for input. A send finds
/// out at once.
void loop::on_hangup(stream& from) {
  slot& c = of(from);
  c.peer_gone = true;
  note_peer_done(c);
  deadlines_changed(c);
  if (queued(c) > 0) advance(c);
}

void loop::on_turn_end() {
  if (dirty_head_ != no_slot) {
    do_marked();
    io_->restamp();
  }
  count_turn();
  free_slots();
  // How much more it holds, or less: only if that is much.
  if (const auto change = static_cast<std::int64_t>(pool_->in_use() - pressure_.memory);
      change >= published_memory || change <= -published_memory) [[unlikely]] {
    pressure_.memory += static_cast<std::uint64_t>(change);
    owner_->memory_changed(change);
  }
  arm();
  if (when_empty_ && empty()) std::exchange(when_empty_, nullptr)();
}

void loop::count_turn() noexcept {
  const std::uint64_t began = counters_.turn_began.load(std::memory_order_relaxed);
  counters_.turn_began.store(0, std::memory_order_relaxed);
  const std::uint64_t length = io_->now() - began;
  if (length != 0) counters_.busy.add(length);
  std::size_t rank = 0;
  while (rank < turn_bounds.size() && length > turn_bounds[rank]) ++rank;
  counters_.turns[rank].add();
  if (length >= pressure_.longest_turn) [[unlikely]] {
    owner_->turn_was_long(duration{static_cast<std::int64_t>(length)});
  }
}

void loop::destroy_all() noexcept {
  end_mail();
  posted_.clear();
  coroutines_.clear();
  slots_.visit(0, slab<slot>::end, [this](std::uint32_t index, slot& c) {
    while (c.attachments != nullptr) delete c.attachments;
    if (!c.is_released()) {
      io_->release(c.io, dwell::release::reset);
      c.counters().released.add();
    }
    end_session(c);
    counter& freed = c.counters().freed;
    slots_.erase(index);
    freed.add();
    owner_->readmit();
  });
  outgoing_.visit(0, slab<outgoing*>::end, [](std::uint32_t, outgoing* each) { each->discard(); });
  freed_head_ = no_slot;
  dirty_head_ = dirty_tail_ = no_slot;
}

}  // namespace dwell::inline v0
