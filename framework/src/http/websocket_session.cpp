#include "http/websocket_session.hpp"

#include <dwell/connection/options.hpp>

#include "http/websocket_frame.hpp"

#include <utility>

namespace dwell::http {
namespace {

using kind = websocket_event::kind;

constexpr std::uint16_t number_of(websocket_close_code code) noexcept {
  return static_cast<std::uint16_t>(code);
}

websocket_close_code code_for(close_reason why) noexcept {
  switch (why) {
    case close_reason::read_timeout: return websocket_close_code::policy_violation;
    case close_reason::handle_timeout:
    case close_reason::handler_failed: return websocket_close_code::internal_error;
    case close_reason::overload: return websocket_close_code::try_again_later;
    default: return websocket_close_code::going_away;
  }
}

/// What was read is nobody else's, and is unmasked where it is.
std::span<std::byte> writable(bytes read) noexcept {
  return {const_cast<std::byte*>(read.data()), read.size()};
}

}  // namespace

websocket_session::websocket_session(exchange& on, const websocket_options& how,
                                     std::string_view agreed)
    : x{&on}, agreed_protocol{agreed}, decoder{how.message} {
  x->on_deadline([this](close_reason why) { say_goodbye(why); });
  if (how.ping_interval == off) return;
  beating = std::make_shared<heart>(heart{.socket = this, .interval = how.ping_interval});
  beat_later(x->peer(), beating);
}

websocket_session::~websocket_session() {
  x->on_deadline({});
  if (beating) beating->socket = nullptr;
}

// ── input ──

const http::request& websocket::request() const noexcept {
  return websocket_session::of(*this).x->request();
}
connection& websocket::peer() const noexcept { return websocket_session::of(*this).x->peer(); }
std::string_view websocket::protocol() const noexcept {
  return websocket_session::of(*this).agreed_protocol;
}

task<websocket_message> websocket::read() {
  auto& self = websocket_session::of(*this);
  while (!self.sent_close && self.x->peer().is_open()) {
    const websocket_event found = self.decoder.decode(self.input);
    self.mark_phase();
    if (found.what == kind::text || found.what == kind::binary) {
      co_return websocket_message{found.payload, found.what == kind::text};
    }
    if (found.what != kind::none) {
      self.obey(found);
      continue;
    }
    self.reading = true;
    const bytes more = co_await self.x->read();
    self.reading = false;
    if (!more) break;
    self.input = writable(more);
  }
  self.note_end();
  co_return websocket_message{};
}

void websocket_session::mark_phase() noexcept {
  const bool begun = !decoder.at_rest();
  if (begun == message_open) return;
  message_open = begun;
  begun ? x->peer().message_started() : x->peer().message_awaited();
}

void websocket_session::obey(const websocket_event& what) {
  switch (what.what) {
    case kind::ping: send(websocket_opcode::pong, what.payload); return;
    case kind::close:
      got_close = true;
      if (!code) {
        code = websocket_close_code{what.code};
        close_reason_text = what.payload.text();
      }
      send_close(what.code, {});
      return;
    case kind::failure:
      send_close(what.code, what.why);
      x->peer().close(close_reason::protocol_error);
      return;
    default: return;
  }
}

void websocket_session::note_end() noexcept {
  if (!code) code = websocket_close_code::abnormal;
}

// ── output ──

bool websocket::send_text(std::string_view text) noexcept {
  return websocket_session::of(*this).send(websocket_opcode::text, text);
}
bool websocket::send_binary(bytes data) noexcept {
  return websocket_session::of(*this).send(websocket_opcode::binary, data);
}
bool websocket::ping(bytes payload) noexcept {
  if (payload.size() > longest_control_payload) return false;
  return websocket_session::of(*this).send(websocket_opcode::ping, payload);
}

bool websocket_session::send(websocket_opcode what, bytes payload) noexcept {
  return !code && send_frame(what, payload);
}

bool websocket_session::send_frame(websocket_opcode what, bytes payload) noexcept {
  const websocket_frame_header header{what, payload.size()};
  x->peer().answer_goes_on();
  return x->send(header.encoded()) && x->send(payload);
}

// ── the end ──

void websocket::close(websocket_close_code code, std::string_view reason) noexcept {
  websocket_session::of(*this).send_close(number_of(code), reason);
}
std::optional<websocket_close_code> websocket::close_code() const noexcept {
  return websocket_session::of(*this).code;
}
std::string_view websocket::close_text() const noexcept {
  return websocket_session::of(*this).close_reason_text;
}

void websocket_session::send_close(std::uint16_t number, std::string_view reason) noexcept {
  if (sent_close || !x->peer().is_open()) return;
  const auto payload = number == number_of(websocket_close_code::no_code)
                           ? websocket_close_payload{}
                           : websocket_close_payload{number, reason};
  send_frame(websocket_opcode::close, payload.encoded());
  sent_close = true;
  if (!code) code = websocket_close_code{number};
  x->peer().announced_close();
}

void websocket_session::say_goodbye(close_reason why) noexcept {
  send_close(number_of(code_for(why)), {});
}

/// The peer learns that it was us: that need not be a reset.
void websocket_session::fail() noexcept {
  say_goodbye(close_reason::handler_failed);
  const close_method planned = x->peer().options().close.handler_failed;
  x->peer().close(close_reason::handler_failed,
                  planned == close_method::abort ? close_method::graceful : planned);
}

task<> websocket_session::await_close() {
  connection& peer = x->peer();
  const duration most = peer.options().deadlines.close;
  if (got_close || !peer.is_open()) co_return;
  if (most != off) peer.after(most, [](connection& late) { late.close(); });
  while (!got_close && peer.is_open()) {
    const websocket_event found = decoder.decode(input);
    if (found.what == kind::close) got_close = true;
    if (found.what == kind::failure) co_return;
    if (found.what != kind::none) continue;
    const bytes more = co_await x->read();
    if (!more) co_return;
    input = writable(more);
  }
}

// ── the heartbeat ──

void websocket_session::beat_later(connection& peer, std::shared_ptr<heart> which) {
  const duration interval = which->interval;
  peer.after(interval, [own = std::move(which)](connection& same) {
    if (own->socket == nullptr) return;
    own->socket->beat(*own);
    if (same.is_open()) beat_later(same, own);
  });
}

/// A peer whose frames are not read, because the handler is busy or output waits, is not asked to
/// prove anything.
void websocket_session::beat(heart& own) noexcept {
  connection& peer = x->peer();
  const bool silent = reading && !sent_close && peer.is_writable() && peer.received() == own.seen;
  own.seen = peer.received();
  if (!silent) {
    own.pinged = false;
  } else if (!own.pinged) {
    own.pinged = send(websocket_opcode::ping, {});
  } else {
    say_goodbye(close_reason::idle_timeout);
    peer.close(close_reason::idle_timeout);
  }
}

}  // namespace dwell::http
