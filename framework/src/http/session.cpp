#include "http/session.hpp"

#include <dwell/connection/options.hpp>
#include <dwell/server/server.hpp>

#include "http/access_log.hpp"
#include "http/percent.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

namespace dwell::http {
namespace {

/// Requests answered before others on the loop have their turn.
constexpr int requests_per_turn = 64;

/// Bytes of a body that are handed to the connection without looking at its queue.
constexpr std::size_t sent_at_once = std::size_t{4} * 1024;

std::string_view moved(std::string_view view, std::string_view from, std::string_view to) noexcept {
  return to.substr(static_cast<std::size_t>(view.data() - from.data()), view.size());
}

head moved(const head& what, std::string_view to) noexcept {
  head made = what;
  made.block = to;
  made.target = moved(what.target, what.block, to);
  made.fields = moved(what.fields, what.block, to);
  return made;
}

}  // namespace

exchange::exchange(connection& peer, const head& read)
    : block{read.block}, what{moved(read, block)}, request{peer, what} {}

bool incoming_request::set_params(const route_match& from) {
  std::size_t encoded = 0;
  for (std::size_t i = 0; i < from.count; ++i) {
    const std::string_view value{from.values[i].data, from.values[i].size};
    if (value.find('%') == std::string_view::npos) continue;
    if (!is_percent_encoded(value)) return false;
    encoded += value.size();
  }
  decoded_.reserve(encoded);  // so that what points into it stays valid
  for (std::size_t i = 0; i < from.count; ++i) {
    std::string_view value{from.values[i].data, from.values[i].size};
    if (value.find('%') != std::string_view::npos) {
      const std::size_t begin = decoded_.size();
      append_decoded(decoded_, value);
      value = std::string_view{decoded_}.substr(begin);
    }
    values_[i] = {value.data(), value.size()};
  }
  route_ = from.found;
  return true;
}

// ── input ──

std::size_t responder::on_data(connection& peer, session& self, bytes data) const {
  std::string_view rest = data.text();
  self.more = true;
  bool waits = false;
  for (int answered = 0; peer.is_open() && !rest.empty() && !waits;) {
    if (self.answering || !peer.is_writable()) {
      waits = true;  // go_on(), or falling below the low watermark, brings it again
    } else if (answered == requests_per_turn) {
      waits = true;
      peer.yield();
    } else {
      const bool begins = self.current == nullptr;
      const std::size_t used =
          begins ? read_request(peer, self, rest) : read_body(peer, self, rest);
      if (used == 0) break;
      rest.remove_prefix(used);
      if (begins) ++answered;
    }
  }
  self.more = waits;
  if (self.peer_closed && !self.answering && !waits) peer.close(close_reason::peer_closed);
  return data.size() - rest.size();
}

void responder::on_peer_closed(connection& peer, session& self) const {
  self.peer_closed = true;
  if (!self.answering && !self.more) peer.close(close_reason::peer_closed);
}

/// A request from its first byte: what of `input` it used, 0 when it is not whole yet.
std::size_t responder::read_request(connection& peer, session& self, std::string_view input) const {
  const auto [size, refused] = self.scanner.scan(input, limits_);
  if (refused) return refuse(peer, self, *refused, method::get), 0;
  if (size == 0 && input == "\r" && !self.skipped_line) return 0;  // no request has begun yet
  if (size == 2 && !self.skipped_line) {
    self.skipped_line = true;
    self.scanner = block_scanner{block_scanner::kind::head};
    return size;
  }
  if (!self.reading) {
    self.reading = true;
    self.started = options_.access_log ? peer.age() : duration{0};
    peer.message_started();
  }
  if (size == 0) return 0;
  self.scanner = block_scanner{block_scanner::kind::head};

  const auto block = input.substr(0, size);
  head read;
  if (const auto bad = read_head(block, limits_, read)) {
    return refuse(peer, self, *bad, read.method), 0;
  }
  const auto after = input.substr(size);
  if (!read.chunked && read.content_length <= std::min(after.size(), options_.body)) {
    incoming_request whole{peer, read};
    const auto length = static_cast<std::size_t>(read.content_length);
    whole.set_body(after.substr(0, length));
    dispatch(peer, self, whole, read);
    return size + length;
  }
  await_body(peer, self, read, after.empty());
  return size;
}

/// The head is whole, and a body follows.
void responder::await_body(connection& peer, session& self, const head& read,
                           bool nothing_came) const {
  body_reader reader{read, options_.body, limits_};
  if (const auto& bad = reader.refused()) return refuse(peer, self, *bad, read.method);
  if (read.expects_continue && nothing_came) {
    const incoming_request asked{peer, read};
    const route_match match = routes_.tree().match(asked.path());
    if (auto no = answer_without_handler(asked, match)) {
      head last = read;
      last.keep_alive = false;  // nobody knows whether the body still comes
      return respond(peer, self, asked, last, std::move(*no));
    }
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  peer.message_started();  // deadlines.read anew: the header was in time
  self.current = std::make_unique<exchange>(peer, read);
  self.current->reader.emplace(reader);
}

std::size_t responder::read_body(connection& peer, session& self, std::string_view input) const {
  exchange& current = *self.current;
  const std::size_t used = current.reader->read(input, current.body);
  if (const auto& bad = current.reader->refused()) {
    return refuse(peer, self, *bad, current.what.method), 0;
  }
  if (current.reader->done()) {
    current.request.set_body(current.body);
    dispatch(peer, self, current.request, current.what);
    return used;
  }
  current.in_window += used;
  const duration window = peer.options().deadlines.read;
  if (options_.body_rate != 0 && window != off &&
      current.in_window >= options_.body_rate * static_cast<std::uint64_t>(window.count()) / 1000) {
    current.in_window = 0;
    peer.message_started();
  }
  return used;
}

void responder::refuse(connection& peer, session& self, const refusal& why, method asked) const {
  say_last_words(peer, self, why, asked);
  peer.close(close_reason::protocol_error);
}

/// An answer to what is no request, or not in time.
void responder::say_last_words(connection& peer, session& self, const refusal& why,
                               method asked) const {
  response answer = plain_answer(why.status, why.why);
  if (why.status == status::method_not_allowed) {
    answer.headers.push_back({"Allow", routes_.tree().allow()});
  }
  const answered_request to{.method = asked, .keep_alive = false};
  const std::string_view body = body_of(answer, to);
  write_head(peer, answer, to);
  peer.send(body);
  peer.announced_close();
  if (options_.access_log) {
    self.last_line = std::make_unique<std::string>(
        self.current
            ? access_line(self.current->request, why.status, body.size(), peer.age() - self.started)
            : access_line(peer, why.status));
  }
}

// ── answers ──

/// nullopt: the route has a handler for it.
std::optional<response> responder::answer_without_handler(const incoming_request& what,
                                                          const route_match& match) const {
  const bool options = what.method() == method::options;
  if (match.found != nullptr && !options && match.found->handler_for(what.method()) != nullptr) {
    return std::nullopt;
  }
  const bool all = options && what.path() == "*";
  if (match.found == nullptr && !all) return plain_answer(status::not_found);
  const std::string& allow = all ? routes_.tree().allow() : match.found->allow;
  response made = options ? response{.status = status::no_content}
                          : plain_answer(status::method_not_allowed, "use " + allow);
  made.headers.push_back({"Allow", allow});
  return made;
}

void responder::dispatch(connection& peer, session& self, incoming_request& what,
                         const head& read) const {
  peer.message_received();
  const route_match match = routes_.tree().match(what.path());
  if (auto answer = answer_without_handler(what, match)) {
    return respond(peer, self, what, read, std::move(*answer));
  }
  if (!what.set_params(match)) {
    return refuse(peer, self, {status::bad_request, "the path is not valid percent-encoding"},
                  read.method);
  }
  const route_handler& handler = *match.found->handler_for(what.method());
  if (const auto* const plain = handler.as_plain()) {
    return respond(peer, self, what, read, call(peer, what, *plain));
  }
  if (!self.current) {
    self.current = std::make_unique<exchange>(peer, read);
    self.current->body = what.body();
    self.current->request.set_body(self.current->body);
    self.current->request.set_params(routes_.tree().match(self.current->request.path()));
  }
  self.answering = true;
  peer.spawn(run(peer, self, *handler.as_coroutine()));
  if (self.answering) peer.pause();
}

response responder::call(connection& peer, const request& what,
                         const route_handler::plain& handler) const {
  try {
    return handler(what);
  } catch (const std::exception& failure) {
    return failed(peer, what, failure.what());
  } catch (...) {
    return failed(peer, what, "an exception that is not a std::exception");
  }
}

task<> responder::run(connection& peer, session& self,
                      const route_handler::coroutine& handler) const {
  response answer = co_await guarded(peer, self.current->request, handler);
  if (!peer.is_open()) co_return;
  exchange& current = *self.current;
  respond(peer, self, current.request, current.what, std::move(answer));
  go_on(peer, self);
}

task<response> responder::guarded(connection& peer, const request& what,
                                  const route_handler::coroutine& handler) const {
  std::string why;
  try {
    task<response> running = handler(what);
    co_return co_await std::move(running);
  } catch (const std::exception& failure) {
    why = failure.what();
  } catch (...) {
    why = "an exception that is not a std::exception";
  }
  co_return failed(peer, what, why);
}

/// Sends the answer, or what there is room for: on_writable sends the rest.
void responder::respond(connection& peer, session& self, const request& what, const head& read,
                        response&& answer) const {
  if (const std::string fault = fault_of(answer); !fault.empty()) {
    answer = failed(peer, what, fault);
  }
  const bool endless = answer.stream && !what.is_http_1_1();
  answer.close = answer.close || !read.keep_alive || endless || peer.last_exchange();
  const answered_request to{what.method(), what.is_http_1_1(), !answer.close};
  const std::string_view body = body_of(answer, to);
  write_head(peer, answer, to);
  if (answer.close) peer.announced_close();

  if (!answer.stream && body.size() <= sent_at_once) {
    if (!body.empty()) peer.send(body);
    return finish(peer, self, what, {answer.status, body.size(), answer.close});
  }
  self.head_sent = true;
  if (!self.current) self.current = std::make_unique<exchange>(peer, read);
  self.current->writer.emplace(std::move(answer), to);
  self.answering = true;
  send_body(peer, self);
}

/// Sends the rest of an answer as far as there is room. When all of it is, the exchange is gone.
void responder::send_body(connection& peer, session& self) const {
  exchange& current = *self.current;
  switch (current.writer->write(peer)) {
    case body_writer::outcome::done:
      return finish(peer, self, current.request, current.writer->progress());
    case body_writer::outcome::full: return;
    case body_writer::outcome::more:
      peer.after(duration{0}, [this, &self](connection& same) { on_writable(same, self); });
  }
}

void responder::on_writable(connection& peer, session& self) const {
  if (!self.current || !self.current->writer) return;
  send_body(peer, self);
  go_on(peer, self);
}

/// `what` may be gone when it returns.
void responder::finish(connection& peer, session& self, const request& what,
                       sent_answer sent) const {
  if (options_.access_log) {
    std::string line = access_line(what, sent.status, sent.body, peer.age() - self.started);
    if (sent.last) {
      self.last_line = std::make_unique<std::string>(std::move(line));
    } else {
      log_exchange(*options_.access_log, line);
    }
  }
  self.reading = self.answering = self.head_sent = self.skipped_line = false;
  self.current.reset();
  if (peer.exchange_finished() && sent.last) peer.close();
}

/// An answer is complete, outside of on_data: the next requests have waited for that.
void responder::go_on(connection& peer, session& self) {
  if (self.answering) return;
  if (self.peer_closed && !self.more) peer.close(close_reason::peer_closed);
  peer.resume();
  if (self.more) peer.yield();  // also where nothing was paused, nor above a watermark
}

// ── the end ──

void responder::on_deadline(connection& peer, session& self, close_reason why) const {
  if (self.head_sent) return;
  const method asked = self.current ? self.current->what.method : method::get;
  if (why == close_reason::read_timeout) {
    say_last_words(peer, self, {status::request_timeout, "the request took too long to come"},
                   asked);
  } else if (why == close_reason::handle_timeout) {
    say_last_words(peer, self, {status::service_unavailable, "the answer took too long"}, asked);
  }
}

void responder::on_close(const connection& peer, session& self, const close_record& record) const {
  if (!options_.access_log) return;
  std::string line;
  if (self.last_line) {
    line = std::move(*self.last_line);
  } else if (self.current && self.current->writer) {
    const sent_answer cut = self.current->writer->progress();
    line = access_line(self.current->request, cut.status, cut.body, peer.age() - self.started);
  } else {
    line = access_line(peer, std::nullopt);
  }
  log_last(*options_.access_log, line, record);
}

/// At most ten lines a second: a handler that always fails must not fill a disk.
response responder::failed(connection& peer, const request& what, std::string_view why) const {
  constexpr int lines_per_second = 10;
  const std::int64_t now = peer.date().time_since_epoch().count();
  if (logged_second_.exchange(now, std::memory_order_relaxed) != now) logged_lines_ = 0;
  if (logged_lines_.fetch_add(1, std::memory_order_relaxed) < lines_per_second) {
    log_failure(peer.server().logger(), what, why);
  }
  return plain_answer(status::internal_server_error);
}

// ── serve ──

responder::responder(router routes, http::options options)
    : routes_{std::move(routes)},
      options_{std::move(options)},
      limits_{
          .size = options_.header, .target = options_.target, .fields = options_.header_fields} {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument{std::string{"http::options."} + what};
  };
  constexpr std::size_t most_header = std::size_t{64} * 1024;
  require(options_.header >= 64 && options_.header <= most_header,
          "header: use 64 to 65,536 bytes");
  require(options_.target >= 1 && options_.target <= options_.header,
          "target: use 1 byte to what header allows");
}

handler serve(router routes, http::options options) {
  const auto all = std::make_shared<const responder>(std::move(routes), std::move(options));
  return callbacks<session>{
      .on_open =
          [](connection& peer, session&) {
            peer.delimits_messages();
            return true;
          },
      .on_data = [all](connection& peer, session& self,
                       bytes data) { return all->on_data(peer, self, data); },
      .on_writable = [all](connection& peer, session& self) { all->on_writable(peer, self); },
      .on_peer_closed = [all](connection& peer, session& self) { all->on_peer_closed(peer, self); },
      .on_deadline = [all](connection& peer, session& self,
                           close_reason why) { all->on_deadline(peer, self, why); },
      .on_close = [all](connection& peer, session& self,
                        const close_record& record) { all->on_close(peer, self, record); },
      .announces_close = true};
}

}  // namespace dwell::http
