#include <dwell/server/server.hpp>

#include "http/access_log.hpp"
#include "http/responder.hpp"

#include <utility>

namespace dwell::http {
namespace {

/// Bytes of a body that are handed to the connection without looking at its queue.
constexpr std::size_t sent_at_once = std::size_t{4} * 1024;

}  // namespace

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
    return refuse(peer, self, bad_path, read.method);
  }
  const route_handler& handler = *match.found->handler_for(what.method());
  if (const auto* const plain = handler.as_plain()) {
    return respond(peer, self, what, read, call(peer, what, *plain));
  }
  if (!self.current) {
    self.current = std::make_unique<held_request>(peer, read);
    self.current->body = what.body();
    self.current->request.set_body(self.current->body);
    self.current->request.set_params(routes_.tree().match(self.current->request.path()));
  }
  if (const auto* const streaming = handler.as_streaming()) {
    return start_stream(peer, self, *streaming, false);
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
  held_request& current = *self.current;
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
  answer.close = answer.close || !read.keep_alive || endless || peer.last_exchange(self.more);
  const answered_request to{what.method(), what.is_http_1_1(), !answer.close};
  const std::string_view body = body_of(answer, to);
  const bool at_once = !answer.stream && !answer.file.of && body.size() <= sent_at_once;
  write_head(peer, answer, to, at_once ? body : std::string_view{});
  // Who waits for the end of the connection to know the end of the body will not close first.
  if (answer.close && !endless) peer.announced_close();

  if (at_once) return finish(peer, self, what, {answer.status, body.size(), answer.close});
  self.head_sent = true;
  if (!self.current) self.current = std::make_unique<held_request>(peer, read);
  self.current->writer.emplace(std::move(answer), to);
  self.answering = true;
  send_body(peer, self);
}

/// Sends the rest of an answer as far as there is room. When all of it is, the exchange is gone.
void responder::send_body(connection& peer, session& self) const {
  held_request& current = *self.current;
  switch (current.writer->write(peer)) {
    case body_writer::outcome::done:
      return finish(peer, self, current.request, current.writer->progress(peer));
    case body_writer::outcome::full: return;
    case body_writer::outcome::more:
      peer.answer_goes_on();
      peer.after(duration{0}, [this, &self](connection& same) { on_writable(same, self); });
  }
}

void responder::on_writable(connection& peer, session& self) const {
  if (!self.current || !self.current->writer || !peer.is_open()) return;
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
  if (self.answering || self.in_on_data) return;
  if (self.peer_closed && !self.more) peer.close(close_reason::peer_closed);
  peer.resume();
  if (self.more) peer.yield();  // also where nothing was paused, nor above a watermark
}

void responder::on_close(const connection& peer, session& self, const close_record& record) const {
  if (!options_.access_log) return;
  std::string line;
  if (self.last_line) {
    line = std::move(*self.last_line);
  } else if (self.current && self.current->writer) {
    const sent_answer cut = self.current->writer->progress(peer);
    line = access_line(self.current->request, cut.status, cut.body, peer.age() - self.started);
  } else if (self.current && self.current->streamed && self.head_sent) {
    const streamed_exchange& cut = *self.current->streamed;
    line = access_line(self.current->request, cut.code, cut.sent, peer.age() - self.started);
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

}  // namespace dwell::http
