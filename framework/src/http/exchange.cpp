#include <dwell/http/exchange.hpp>

#include "http/response_writer.hpp"
#include "http/session.hpp"
#include "http/streamed_exchange.hpp"
#include "http/text.hpp"

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

namespace dwell::http {
namespace {

/// Where nobody has bytes to look at, one buffer is enough for all.
thread_local std::string spare;

bool offers(const request& asked, std::string_view protocol) noexcept {
  bool upgrade = false, offered = false;
  for (const field& each : asked.headers()) {
    if (equals_ignoring_case(each.name, "connection")) {
      for_each_element(each.value, [&](std::string_view option) {
        upgrade = upgrade || equals_ignoring_case(option, "upgrade");
      });
    } else if (equals_ignoring_case(each.name, "upgrade")) {
      for_each_element(each.value, [&](std::string_view which) {
        offered = offered || same_ignoring_case(which, protocol);
      });
    }
  }
  return upgrade && offered && asked.is_http_1_1();
}

}  // namespace

// ── the request's body ──

exchange_read::exchange_read(exchange& of) noexcept : exchange_{&streamed_exchange::of(of)} {}

exchange_read::~exchange_read() {
  if (suspended()) exchange_->reader = nullptr;
}

bool exchange_read::await_ready() noexcept {
  const streamed_exchange& x = *exchange_;
  return x.fresh || !x.takes_input() || (x.ended && !x.self->more);
}

void exchange_read::wait(std::coroutine_handle<> reader) noexcept {
  streamed_exchange& x = *exchange_;
  assert(x.reader == nullptr && "dwell: one read() at a time");
  x.reader = this;
  suspend(reader);
  waits_for_peer(true);
  x.held->body.clear();
  if (x.held->body.capacity() > spare.capacity()) std::swap(spare, x.held->body);
  std::string{}.swap(x.held->body);  // an assignment would keep the memory
  x.waits_since = x.peer->age();
  if (std::exchange(x.wants_continue, false)) x.peer->send("HTTP/1.1 100 Continue\r\n\r\n");
  x.peer->resume();
  if (x.self->more && !x.self->in_on_data) x.peer->yield();
}

bytes exchange_read::await_resume() noexcept {
  return std::exchange(exchange_->fresh, false) ? bytes{exchange_->held->body} : bytes{};
}

void exchange_read::connection_ended() {
  exchange_->reader = nullptr;
  resume_ended();
}

bool streamed_exchange::takes_input() const noexcept {
  return peer->is_open() && (is_upgraded() || !complete);
}

void streamed_exchange::make_room() noexcept {
  held->body.clear();
  if (spare.capacity() > held->body.capacity()) std::swap(spare, held->body);
}

void streamed_exchange::resume_reader() {
  exchange_read& waiting = *std::exchange(reader, nullptr);
  waiting.waits_for_peer(false);
  waiting.resume_within();
}

const http::request& exchange::request() const noexcept {
  return streamed_exchange::of(*this).held->request;
}
connection& exchange::peer() const noexcept { return *streamed_exchange::of(*this).peer; }
bool exchange::is_complete() const noexcept {
  const auto& x = streamed_exchange::of(*this);
  return x.complete && !x.fresh;
}

// ── the answer ──

void exchange::respond(response answer) noexcept {
  auto& x = streamed_exchange::of(*this);
  if (x.state != streamed_exchange::answer::none) return;
  x.state = streamed_exchange::answer::whole;
  x.whole = std::move(answer);
}

bool exchange::begin(response head, std::optional<std::uint64_t> size) noexcept {
  auto& x = streamed_exchange::of(*this);
  connection& peer = *x.peer;
  if (x.state != streamed_exchange::answer::none || !peer.is_open() || !x.fault.empty()) {
    return false;
  }
  const http::request& asked = x.held->request;
  x.fault = fault_of(head);
  if (!x.fault.empty()) return false;
  x.state = streamed_exchange::answer::begun;
  x.code = head.status;
  x.left = size;
  x.bodiless = asked.method() == method::head || !may_have_body(head.status);
  const bool endless = !x.bodiless && !size && !asked.is_http_1_1();
  x.chunked = !x.bodiless && !size && !endless;
  x.closes = head.close || endless || !x.complete || !x.held->what.keep_alive ||
             peer.last_exchange(x.self->more);
  x.self->head_sent = true;
  write_head(peer, head,
             {.method = asked.method(),
              .http_1_1 = asked.is_http_1_1(),
              .keep_alive = !x.closes,
              .streamed = true,
              .size = size});
  if (x.closes && !endless) peer.announced_close();
  return true;
}

bool exchange::send(bytes data) noexcept {
  auto& x = streamed_exchange::of(*this);
  connection& peer = *x.peer;
  if (x.is_upgraded()) {
    x.sent += data.size();
    return peer.send(data);
  }
  if (x.state == streamed_exchange::answer::none && !begin({})) return false;
  if (x.state != streamed_exchange::answer::begun || x.bodiless) return false;
  if (x.left) {
    if (data.size() > *x.left) {
      x.fault = "more was written than the size that was announced";
      peer.close(close_reason::handler_failed, close_method::abort);
      return false;
    }
    *x.left -= data.size();
  }
  if (data.empty()) return peer.is_open();  // an empty chunk would be the last
  x.sent += data.size();
  peer.answer_goes_on();
  if (!x.chunked) return peer.send(data);
  std::array<char, 20> line;
  char* end = std::to_chars(line.data(), line.data() + line.size() - 2, data.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  peer.send(std::string_view{line.data(), static_cast<std::size_t>(end - line.data())});
  peer.send(data);
  return peer.send("\r\n");
}

bool streamed_exchange::end() noexcept {
  if (left.value_or(0) != 0 && !bodiless) {
    fault = "less was written than the size that was announced";
    return false;
  }
  if (chunked) peer->send("0\r\n\r\n");
  return true;
}

// ── another protocol ──

bool exchange::upgrade(std::string_view protocol, const std::vector<header>& headers) noexcept {
  auto& x = streamed_exchange::of(*this);
  if (x.state != streamed_exchange::answer::none || !is_complete() || !x.peer->is_open() ||
      !offers(x.held->request, protocol)) {
    return false;
  }
  if (!x.fault.empty() || !(x.fault = fault_of(headers)).empty()) return false;
  x.state = streamed_exchange::answer::upgraded;
  x.code = status::switching_protocols;
  x.self->head_sent = true;
  write_upgrade(*x.peer, protocol, headers);
  x.peer->message_awaited();
  return true;
}

void exchange::on_deadline(unique_function<void(close_reason)> call) noexcept {
  streamed_exchange::of(*this).on_deadline_call = std::move(call);
}

}  // namespace dwell::http
