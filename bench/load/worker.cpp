#include "worker.hpp"

#include "clock.hpp"

#include <algorithm>
#include <cstring>

namespace load {
namespace {

using namespace std::chrono_literals;

constexpr nanoseconds late_after = 1ms;
constexpr nanoseconds rest = 10ms;  // after a failure to connect

dwell::duration in_ms(nanoseconds value) {
  return std::max(std::chrono::ceil<dwell::duration>(value), dwell::duration{1});
}

}  // namespace

worker::worker(const plan& of, std::uint32_t thread, const starting_line& line)
    : plan_{of},
      line_{line},
      closed_loop_{of.arrival == arrival::closed},
      close_{of.ending == ending::client_abort ? dwell::close_method::abort
                                               : dwell::close_method::graceful},
      upstream_{make_upstream()},
      schedule_{of, thread},
      due_{schedule_},
      window_{of},
      tally_{std::make_unique<tally>()} {
  prepare_requests();
  const std::uint32_t share = (of.connections + of.threads - 1 - thread) / of.threads;
  for (std::uint32_t i = 0; i < share; ++i) {
    slot& made = free_.emplace_back();
    made.place = std::prev(free_.end());
    if (of.protocol == protocol::http) made.http.emplace();
  }
  // One connection tells whether there is a server; the first request uses it.
  to_open_ = is_long(of) ? share : (thread == 0 ? 1 : 0);
}

dwell::connect_options worker::where() {
  const std::size_t queued = plan_.size + 64 * std::size_t{1024};
  dwell::connect_options to{.host = plan_.host, .port = plan_.port};
  to.connect = in_ms(patience());
  to.source = plan_.source;
  to.name = "load";
  if (plan_.tls != security::none) {
    to.tls = &tls_.emplace(dwell::tls_client_options{.verify = plan_.tls_verify,
                                                     .resume = plan_.tls == security::resumed});
  }
  // Its requests have a timeout of their own.
  to.deadlines = {.handshake = in_ms(patience()),
                  .idle = dwell::off,
                  .handle = dwell::off,
                  .write = dwell::off,
                  .close = 1s};
  // Never stops reading the answer while the request is on its way.
  to.limits = {.output = queued, .high_watermark = queued};
  // A request in one segment needs no TCP_NODELAY, and it is a system call for each connection.
  to.socket = {.nodelay = plan_.size > 512, .user_timeout = dwell::off};
  return to;
}

dwell::upstream<worker::session> worker::make_upstream() {
  dwell::callbacks<session> calls{
      .on_open = [this](dwell::connection& peer, session& self) { return opened(peer, self); },
      .on_data = [this](dwell::connection& peer, session& self,
                        dwell::bytes data) { return received(peer, self, data.text()); },
      .on_close = [this](dwell::connection&, session& self,
                         const dwell::close_record& record) { closed(self, record); }};
  const auto on_failed = [this](session& self, const dwell::connect_error& why) {
    not_connected(self, why);
  };
  return {where(), std::move(calls),
          dwell::callback<void(session&, const dwell::connect_error&)>{on_failed}};
}

void worker::prepare_requests() {
  if (plan_.protocol == protocol::echo) {
    request_.resize(plan_.size);
    for (std::size_t i = 0; i < request_.size(); ++i) {
      request_[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
    }
    last_request_ = request_;
    return;
  }
  request_ = "GET ";
  request_ += plan_.path;
  request_ += " HTTP/1.1\r\nHost: ";
  const bool v6 = plan_.host.find(':') != std::string::npos;
  if (v6) request_ += '[';
  request_ += plan_.host;
  if (v6) request_ += ']';
  if (plan_.port != 80) request_ += ':' + std::to_string(plan_.port);
  request_ += "\r\n";
  last_request_ = request_;
  last_request_ += "Connection: close\r\n\r\n";
  request_ += "\r\n";
}

// ── what the loop tells ──

worker::slot* worker::known(const session& from) noexcept {
  return from.of != nullptr && from.of->generation == from.generation ? from.of : nullptr;
}

bool worker::opened(dwell::connection& peer, session& from) {
  ++open_;
  ++tally_->connected;
  slot* const s = known(from);
  if (s == nullptr) return false;
  const nanoseconds at = now();
  pass(at);
  if (s->state == state::abandoned) {
    take_back(*s);
    launch(at);
    return false;
  }
  s->peer = &peer;
  s->exchanges = 0;
  if (s->http) s->http->reset();
  if (counts(s->intended)) tally_->latencies.connect.record(at - s->intended);
  if (s->pending) {
    send_request(*s, at);
  } else {
    s->state = state::free;
    // What only asked whether there is a server is used at once.
    free_.splice(is_long(plan_) ? free_.end() : free_.begin(), opening_, s->place);
    open_some(at);
  }
  return true;
}

std::size_t worker::received(dwell::connection&, session& from, std::string_view data) {
  slot* const s = known(from);
  if (s == nullptr) return data.size();
  const nanoseconds at = now();
  pass(at);
  if (s->state == state::leaving) return data.size();
  if (s->state != state::waiting) {
    tally_->count_error("unasked_for");
    let_go(*s, dwell::close_method::abort);
    return data.size();
  }
  if (s->received == 0 && counts(s->intended)) {
    tally_->latencies.first_byte.record(at - s->sent);
  }
  s->http ? read_http(*s, data, at) : read_echo(*s, data, at);
  return data.size();
}

void worker::closed(session& from, const dwell::close_record& record) {
  --open_;
  slot* const s = known(from);
  if (s == nullptr) return;
  const nanoseconds at = now();
  pass(at);
  const bool reset = record.reason == dwell::close_reason::peer_reset;
  forget(*s);
  switch (s->state) {
    case state::waiting:
      if (!reset && s->http && s->http->end()) {
        answered(*s, at, false);
      } else if (record.reason == dwell::close_reason::peer_closed) {
        fail(*s, "closed_early", at);
      } else {
        fail(*s, reset ? "reset" : to_string(record.reason), at);
      }
      break;
    case state::leaving:
      if (reset && plan_.ending != ending::server_abort) tally_->count_error("reset_after_answer");
      s->state = state::free;
      free_.splice(free_.end(), leaving_, s->place);
      break;
    case state::free: break;  // the next request connects again
    case state::connecting:
    case state::abandoned: break;
  }
  launch(at);
}

void worker::not_connected(session& from, const dwell::connect_error& why) {
  slot* const s = known(from);
  if (s == nullptr) return;
  const nanoseconds at = now();
  pass(at);
  if (s->state == state::abandoned) {
    take_back(*s);
    return launch(at);
  }
  std::string what = "connect: ";
  what += dwell::to_string(why.what);
  if (s->pending) return fail(*s, what, at);
  tally_->count_error(what);
  tally_->why_not_connected = dwell::to_string(why);
  s->state = state::free;
  free_.splice(free_.end(), opening_, s->place);
  forget(*s);
  open_some(at);
}

// ── one request ──

bool worker::counts(nanoseconds intended) const noexcept {
  return !measuring_ || intended >= measured_from_;
}

bool worker::is_last(const slot& s) const noexcept {
  return !is_long(plan_) && s.exchanges + 1 >= plan_.requests_per_connection;
}

void worker::launch(nanoseconds at) {
  if (!accepting_) return;
  pass(at);
  if (closed_loop_) {
    while (at < end_ && !free_.empty()) start(free_.front(), at, at);
    return;
  }
  for (;;) {
    const nanoseconds intended = begin_ + schedule_.due();
    if (intended > at || intended >= end_ || free_.empty()) return;
    schedule_.next();
    start(free_.front(), intended, at);
  }
}

void worker::start(slot& s, nanoseconds intended, nanoseconds at) {
  busy_.splice(busy_.end(), free_, s.place);
  s.pending = true;
  s.intended = intended;
  s.started = at;
  if (counts(intended)) count_sent(at - intended);
  if (s.peer != nullptr) return send_request(s, at);
  s.state = state::connecting;
  upstream_.connect({.of = &s, .generation = s.generation});
}

void worker::count_sent(nanoseconds late) {
  ++tally_->sent;
  if (closed_loop_) return;  // never late
  tally_->latencies.sent_late.record(late);
  if (late > late_after) ++tally_->late;
}

void worker::send_request(slot& s, nanoseconds at) {
  s.state = state::waiting;
  s.sent = at;
  s.received = 0;
  s.peer->send(is_last(s) && server_ends() ? last_request_ : request_);
}

void worker::read_echo(slot& s, std::string_view data, nanoseconds at) {
  const std::size_t left = request_.size() - s.received;
  if (data.size() > left ||
      std::memcmp(data.data(), request_.data() + s.received, data.size()) != 0) {
    return fail(s, "wrong_answer", at);
  }
  s.received += data.size();
  if (s.received == request_.size()) answered(s, at, true);
}

void worker::read_http(slot& s, std::string_view data, nanoseconds at) {
  s.received += data.size();
  const http_answers::result read = s.http->read(data);
  const bool too_much = read.what == http_answers::progress::complete && read.used < data.size();
  if (read.what == http_answers::progress::wrong || too_much) {
    fail(s, "wrong_answer", at);
  } else if (read.what == http_answers::progress::complete) {
    answered(s, at, s.http->keeps_alive());
  }
}

void worker::answered(slot& s, nanoseconds at, bool keeps_alive) {
  const int status = s.http ? s.http->status() : 0;
  if (!counts(s.intended)) {
    // The warm-up's, late.
  } else if (status >= 400) {
    ++tally_->failed;
    tally_->count_error("http " + std::to_string(status));
  } else {
    ++tally_->answered;
    tally_->latencies.naive.record(at - s.started);
    if (!closed_loop_) tally_->latencies.request.record(at - s.intended);
  }
  exchange_over(s, at, keeps_alive);
}

void worker::exchange_over(slot& s, nanoseconds at, bool keeps_alive) {
  s.pending = false;
  const bool last = is_last(s) || !keeps_alive;
  ++s.exchanges;
  if (last && s.peer != nullptr && server_ends()) {
    s.state = state::leaving;
    s.started = at;
    leaving_.splice(leaving_.end(), busy_, s.place);
  } else {
    s.state = state::free;
    free_.splice(free_.end(), busy_, s.place);
    if (last) let_go(s, close_);
  }
  launch(at);
}

void worker::fail(slot& s, std::string_view why, nanoseconds at) {
  const bool connecting = s.state == state::connecting;
  if (counts(s.intended)) {
    ++tally_->failed;
    tally_->count_error(why);
  }
  s.pending = false;
  s.state = state::free;
  slots& to = connecting && closed_loop_ ? resting_ : free_;
  to.splice(to.end(), busy_, s.place);
  if (&to == &resting_ && resting_.size() == 1) rested_ = at + rest;
  let_go(s, dwell::close_method::abort);
  launch(at);
}

/// A slot that could connect anew while it still does would let more connections be under way than
/// there are slots: all the more, the slower the server.
void worker::abandon(slot& s) {
  if (counts(s.intended)) {
    ++tally_->failed;
    tally_->count_error("connect: timed_out");
  }
  s.pending = false;
  s.state = state::abandoned;
  abandoned_.splice(abandoned_.end(), busy_, s.place);
}

void worker::take_back(slot& s) noexcept {
  forget(s);
  s.state = state::free;
  free_.splice(free_.end(), abandoned_, s.place);
}

/// The connection closes, and the slot has no more to do with it.
void worker::let_go(slot& s, dwell::close_method how) {
  dwell::connection* const peer = s.peer;
  forget(s);
  if (peer != nullptr) peer->close(dwell::close_reason::finished, how);
}

void worker::forget(slot& s) noexcept {
  ++s.generation;
  s.peer = nullptr;
}

}  // namespace load
