#include "connection/coroutine_session.hpp"

#include "connection/loop.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace dwell {
namespace {

/// Up to this size what was received is copied into a block that fits; beyond it the engine's
/// buffer changes hands.
constexpr std::size_t worth_a_copy = std::size_t{4} * 1024;

}  // namespace

// ── running the coroutine
// ───────────────────────────────────────────────────────────────────────────

void coroutine_session::resume(std::coroutine_handle<> whom) {
  task_promise_base::resume(whom);
  settle();
}

void coroutine_session::deliver(std::coroutine_handle<> whom) {
  delivering = true;
  task_promise_base::resume(whom);
  delivering = false;
  settle();
}

/// The end of the coroutine is that of the connection.
void coroutine_session::settle() {
  if (!body || !body.frame_.done()) return;
  const task<> ended = std::move(body);
  forget_input();
  ended.frame_.promise().result.take();
  if (peer->sent_in_exchange && !peer->delimits) host().finish_exchange(*peer);
  host().close(*peer, peer->input_ended ? close_reason::peer_closed : close_reason::finished);
}

void coroutine_session::begin(task<> handler) {
  body = std::move(handler);
  deliver(body.frame_);
}

/// Whatever the coroutine waits for ends once; what it waits for next is its own affair. True when
/// it has ended too.
bool coroutine_session::end() {
  suspension* told = std::exchange(suspensions, nullptr);
  if (told != nullptr) told->link_ = &told;
  if (reader) resume(std::exchange(reader, nullptr));
  if (writer) resume(std::exchange(writer, nullptr));
  while (told != nullptr) {
    suspension& each = *told;
    each.unlink();
    each.link(suspensions);
    each.connection_ended();
  }
  outlives = static_cast<bool>(body);
  return !outlives;
}

// ── input
// ───────────────────────────────────────────────────────────────────────────────────────────

void coroutine_session::keep(bytes data) {
  assert(block == nullptr);
  if (data.size() > worth_a_copy && host().io().holds(data)) {
    block = host().io().take_input_buffer();
    block_lent = true;
    input = data.data();
  } else {
    block = host().pool().take(data.size());
    block_lent = false;
    std::memcpy(block, data.data(), data.size());
    input = block;
  }
  input_size = static_cast<std::uint32_t>(data.size());
}

void coroutine_session::forget_input() noexcept {
  input = nullptr;
  if (block == nullptr) return;
  host().pool().give(std::exchange(block, nullptr),
                     block_lent ? engine::input_buffer_size : input_size);
}

bool coroutine_session::no_more_input() const noexcept {
  return peer->decided || (peer->input_ended && peer->kept.empty());
}

void coroutine_session::wait_for_input() noexcept {
  if (delivering) {  // the loop goes on as if it had never been paused
    peer->paused = false;
  } else {
    host().resume(*peer);
  }
}

bool read_operation::await_ready() noexcept {
  coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  self.forget_input();
  return self.no_more_input();
}

void read_operation::suspend(std::coroutine_handle<> reader) noexcept {
  coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  assert(self.host().active() == self.peer &&
         "dwell: only its own handler reads from a connection");
  assert(!self.reader && "dwell: one read() at a time");
  self.reader = reader;
  self.wait_for_input();
}

bytes read_operation::await_resume() noexcept {
  const coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  return {self.input, self.input == nullptr ? 0 : self.input_size};
}

// ── output
// ──────────────────────────────────────────────────────────────────────────────────────────

bool write_operation::await_ready() noexcept {
  slot& c = as_slot(*peer_);
  if (!c.accepts_output()) return true;
  return goal_ == until::flushed ? c.service->host->queued(c) == 0 : !c.above_high;
}

void write_operation::suspend(std::coroutine_handle<> writer) noexcept {
  slot& c = as_slot(*peer_);
  coroutine_session& self = coroutine_session::of(c);
  assert(self.host().active() == &c && "dwell: only its own handler writes to a connection");
  assert(!self.writer && "dwell: one write() or flush() at a time");
  self.writer = writer;
  self.goal = goal_;
  if (goal_ == until::flushed) c.flush_awaited = true;
}

bool write_operation::await_resume() noexcept { return as_slot(*peer_).accepts_output(); }

// ── what the loop calls
// ─────────────────────────────────────────────────────────────────────────────

std::size_t coroutine_handler::session_size() const noexcept { return sizeof(coroutine_session); }

void coroutine_handler::create_session(void* where) const { ::new (where) coroutine_session; }

void coroutine_handler::destroy_session(void* session) const noexcept {
  auto& self = *static_cast<coroutine_session*>(session);
  self.body = {};
  if (self.peer != nullptr) self.forget_input();
  self.~coroutine_session();
}

bool coroutine_handler::on_open(connection& peer, void* session) const {
  auto& self = *static_cast<coroutine_session*>(session);
  self.peer = &as_slot(peer);
  self.peer->paused = true;
  self.begin(start(peer));
  return true;
}

std::size_t coroutine_handler::on_data(connection&, void* session, bytes data) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (!self.reader) return 0;
  self.keep(data);
  self.peer->paused = true;
  self.deliver(std::exchange(self.reader, nullptr));
  return data.size();
}

void coroutine_handler::on_writable(connection&, void* session) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (self.writer && self.goal == write_operation::until::below_high_watermark) {
    self.resume(std::exchange(self.writer, nullptr));
  }
}

void coroutine_handler::on_flushed(connection&, void* session) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (self.writer && self.goal == write_operation::until::flushed) {
    self.resume(std::exchange(self.writer, nullptr));
  }
}

bool coroutine_handler::on_peer_closed(connection&, void* session) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (!self.body) return false;
  if (self.reader) {
    self.peer->paused = true;
    self.resume(std::exchange(self.reader, nullptr));
  }
  return true;
}

void coroutine_handler::on_deadline(connection&, void*, close_reason) const {}

bool coroutine_handler::on_close(connection&, void* session, const close_record&) const {
  auto& self = *static_cast<coroutine_session*>(session);
  return self.end();
}

}  // namespace dwell
