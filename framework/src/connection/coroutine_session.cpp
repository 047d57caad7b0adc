#include "connection/coroutine_session.hpp"

#include "connection/awaited_session.hpp"
#include "connection/loop.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// Up to this size what was received is copied into a block that fits; beyond it the engine's
/// buffer changes hands.
constexpr std::size_t worth_a_copy = std::size_t{4} * 1024;

}  // namespace

// ── the end ──

bool coroutine_session::end() {
  coroutine::end(std::exchange(reader, nullptr));
  outlives = static_cast<bool>(body);
  return !outlives;
}

// ── input ──

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

bool read_operation::await_ready() noexcept {
  coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  self.forget_input();
  return self.no_more_input();
}

void read_operation::suspend(std::coroutine_handle<> reader) noexcept {
  if (slot& c = as_slot(*peer_); c.awaited) return awaited_session::of(c).await_input(reader);
  coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  assert(self.host().running() == &self && "dwell: only its own handler reads from a connection");
  assert(!self.reader && "dwell: one read() at a time");
  self.reader = reader;
  self.host().resume(*self.peer);
}

bytes read_operation::await_resume() noexcept {
  const coroutine_session& self = coroutine_session::of(as_slot(*peer_));
  return {self.input, self.input == nullptr ? 0 : self.input_size};
}

// ── output ──

bool write_operation::await_ready() noexcept {
  slot& c = as_slot(*peer_);
  if (!c.accepts_output()) return true;
  return goal_ == until::flushed ? c.service->host->queued(c) == 0 : !c.above_high;
}

void write_operation::suspend(std::coroutine_handle<> writer) noexcept {
  slot& c = as_slot(*peer_);
  if (c.awaited) return awaited_session::of(c).await_room(writer, goal_);
  assert(c.service->host->active() == &c && "dwell: only its own handler writes to a connection");
  coroutine& self = *c.service->host->running();
  assert(!self.writer && "dwell: one write() or flush() at a time");
  self.writer = writer;
  self.goal = goal_;
  if (goal_ == until::flushed) c.flush_awaited = true;
}

bool write_operation::await_resume() noexcept { return as_slot(*peer_).accepts_output(); }

// ── what the loop calls ──

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
  self.coroutine::start(start(peer));
  return true;
}

std::size_t coroutine_handler::on_data(connection&, void* session, bytes data) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (!self.reader) return 0;
  self.keep(data);
  self.peer->paused = true;
  self.resume(std::exchange(self.reader, nullptr));
  return data.size();
}

void coroutine_handler::on_writable(connection&, void* session) const {
  static_cast<coroutine_session*>(session)->resume_writer(
      write_operation::until::below_high_watermark);
}

void coroutine_handler::on_flushed(connection&, void* session) const {
  static_cast<coroutine_session*>(session)->resume_writer(write_operation::until::flushed);
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

void coroutine_handler::on_closing(connection&, void* session) const {
  auto& self = *static_cast<coroutine_session*>(session);
  if (self.reader) self.resume(std::exchange(self.reader, nullptr));
  if (self.writer) self.resume(std::exchange(self.writer, nullptr));
}

bool coroutine_handler::on_close(connection&, void* session, const close_record&) const {
  auto& self = *static_cast<coroutine_session*>(session);
  return self.end();
}

}  // namespace dwell::inline v0
