#include <dwell/server/server.hpp>

#include "http/access_log.hpp"
#include "http/responder.hpp"
#include "http/streamed_exchange.hpp"

#include <utility>

namespace dwell::http {

/// Calls the handler of an exchange whose body, but for what is in `current.body`, is still to
/// come.
void responder::start_stream(connection& peer, session& self,
                             const route_handler::streaming& handler, bool asks_to_continue) const {
  held_request& current = *self.current;
  streamed_exchange& x = current.streamed.emplace(peer, self, current);
  x.complete = !current.reader || current.reader->done();
  x.fresh = !current.body.empty();
  x.wants_continue = asks_to_continue;
  self.answering = true;
  peer.spawn(run_stream(peer, self, handler));
  pause_unread(peer, self);
}

/// What is not read waits, the kernel's part of it too.
void responder::pause_unread(connection& peer, const session& self) {
  if (self.current && self.current->streamed && self.current->streamed->reader == nullptr) {
    peer.pause();
  }
}

task<> responder::run_stream(connection& peer, session& self,
                             const route_handler::streaming& handler) const {
  std::string fault;
  try {
    task<> running = handler(*self.current->streamed);
    co_await std::move(running);
  } catch (const std::exception& failure) {
    fault = failure.what();
  } catch (...) {
    fault = "an exception that is not a std::exception";
  }
  end_stream(peer, self, std::move(fault));
}

/// The handler has returned, or `fault` says what it has thrown.
void responder::end_stream(connection& peer, session& self, std::string fault) const {
  held_request& current = *self.current;
  streamed_exchange& x = *current.streamed;
  using answer = streamed_exchange::answer;
  if (fault.empty()) fault = std::move(x.fault);
  if (!peer.is_open()) {
    if (!fault.empty()) failed(peer, current.request, fault);
    return;
  }
  if (fault.empty() && x.state == answer::none) fault = "the handler has made no answer";
  if (fault.empty() && x.state == answer::begun && !x.end()) fault = std::move(x.fault);
  if (!fault.empty()) {
    response said = failed(peer, current.request, fault);
    if (self.head_sent) return peer.close(close_reason::handler_failed, close_method::abort);
    x.whole = std::move(said);
  }
  if (x.is_upgraded() && x.ended) {
    peer.exchange_finished();
    peer.close(close_reason::peer_closed);
  }
  if (self.head_sent) {
    finish(peer, self, current.request, {x.code, x.sent, x.closes || x.is_upgraded()});
  } else {
    head read = current.what;
    read.keep_alive = read.keep_alive && x.complete;
    response whole = std::move(*x.whole);
    respond(peer, self, current.request, read, std::move(whole));
  }
  go_on(peer, self);
}

/// Hands `input` to whoever reads. Returns how much of it was used: none while nobody does.
std::size_t responder::feed_stream(connection& peer, session& self, std::string_view input) const {
  held_request& current = *self.current;
  streamed_exchange& x = *current.streamed;
  if (x.reader == nullptr) return 0;
  x.make_room();
  std::size_t used = input.size();
  if (x.is_upgraded()) {
    current.body = input;
  } else {
    used = current.reader->read(input, current.body);
    if (const auto& bad = current.reader->refused()) {
      return cut_stream(peer, self, close_reason::protocol_error, *bad), 0;
    }
    if (current.reader->done()) {
      x.complete = true;
      peer.message_received();
    } else if (!keeps_pace(peer, current, used)) {
      return cut_stream(peer, self, close_reason::read_timeout, too_slow), 0;
    }
    if (current.body.empty() && !x.complete) return used;
  }
  x.fresh = !current.body.empty();
  x.resume_reader();
  pause_unread(peer, self);
  return used;
}

/// False: in all the time that was waited for them, fewer bytes came than have to.
bool responder::keeps_pace(connection& peer, held_request& current, std::size_t came) const {
  streamed_exchange& x = *current.streamed;
  const duration now = peer.age();
  x.waited += now - std::exchange(x.waits_since, now);
  if (enough_came(peer, current, came)) x.waited = duration{0};
  const duration window = peer.options().deadlines.read;
  return window == off || x.waited <= window;
}

/// The body ends here. Whoever reads hears of it when the connection closes.
void responder::cut_stream(connection& peer, session& self, close_reason why,
                           const refusal& said) const {
  if (self.head_sent) return peer.close(why, close_method::abort);  // or it would look finished
  say_last_words(peer, self, said, self.current->what.method);
  peer.close(why);
}

/// No more input will come; what waits already is handed out first.
void responder::end_input(const session& self) {
  if (!self.current || !self.current->streamed) return;
  streamed_exchange& x = *self.current->streamed;
  x.ended = true;
  if (x.reader != nullptr && !self.more) x.resume_reader();
}

void responder::on_closing(const session& self) const {
  if (self.current && self.current->streamed && self.current->streamed->reader != nullptr) {
    self.current->streamed->resume_reader();
  }
}

}  // namespace dwell::http
