#include <dwell/connection/options.hpp>

#include "http/access_log.hpp"
#include "http/responder.hpp"

#include <algorithm>

namespace dwell::http {
namespace {

/// Requests answered before others on the loop have their turn.
constexpr int requests_per_turn = 64;

}  // namespace

std::size_t responder::on_data(connection& peer, session& self, bytes data) const {
  std::string_view rest = data.text();
  self.in_on_data = true;
  bool waits = false;
  for (int answered = 0; peer.is_open() && !rest.empty() && !waits;) {
    if (self.takes_stream()) {
      const std::size_t used = feed_stream(peer, self, rest);
      rest.remove_prefix(used);
      waits = used == 0 && self.current->streamed->reader == nullptr;
      if (used == 0) break;
    } else if (self.answering || !peer.is_writable()) {
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
  if (peer.is_open() && !waits && rest.size() > peer.options().limits.message) {
    refuse(peer, self, {status::header_fields_too_large, "more than this service keeps"},
           method::get);
  }
  self.in_on_data = false;
  self.more = waits;
  if (self.peer_closed) end_input(self);
  if (self.peer_closed && !self.answering && !waits) peer.close(close_reason::peer_closed);
  return data.size() - rest.size();
}

void responder::on_peer_closed(connection& peer, session& self) const {
  self.peer_closed = true;
  end_input(self);
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
    self.more = after.size() > length;
    dispatch(peer, self, whole, read);
    return size + length;
  }
  self.more = false;
  await_body(peer, self, read, after.empty());
  return size;
}

/// The head is whole, and a body follows.
void responder::await_body(connection& peer, session& self, const head& read,
                           bool nothing_came) const {
  incoming_request asked{peer, read};
  const route_match match = routes_.tree().match(asked.path());
  auto no = answer_without_handler(asked, match);
  const auto* const streaming =
      no ? nullptr : match.found->handler_for(read.method)->as_streaming();
  body_reader reader{read, streaming ? options_.streamed_body : options_.body, limits_};
  if (const auto& bad = reader.refused()) return refuse(peer, self, *bad, read.method);
  const bool asks = read.expects_continue && nothing_came;
  if (asks && no) {
    head last = read;
    last.keep_alive = false;  // nobody knows whether the body still comes
    return respond(peer, self, asked, last, std::move(*no));
  }
  if (streaming && !asked.set_params(match)) return refuse(peer, self, bad_path, read.method);
  if (asks && !streaming) peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  peer.message_started();  // deadlines.read anew: the header was in time
  self.current = std::make_unique<held_request>(peer, read);
  self.current->reader.emplace(reader);
  if (!streaming) return;
  self.current->request.set_params(routes_.tree().match(self.current->request.path()));
  start_stream(peer, self, *streaming, asks);
}

std::size_t responder::read_body(connection& peer, session& self, std::string_view input) const {
  held_request& current = *self.current;
  const std::size_t used = current.reader->read(input, current.body);
  if (const auto& bad = current.reader->refused()) {
    return refuse(peer, self, *bad, current.what.method), 0;
  }
  if (current.reader->done()) {
    current.request.set_body(current.body);
    self.more = used < input.size();
    dispatch(peer, self, current.request, current.what);
    return used;
  }
  enough_came(peer, current, used);
  return used;
}

/// True when as many bytes came as have to within deadlines.read, which starts anew then.
bool responder::enough_came(connection& peer, held_request& current, std::size_t came) const {
  const duration window = peer.options().deadlines.read;
  if (options_.body_rate == 0 || window == off) return false;
  current.in_window += came;
  const auto length = static_cast<std::uint64_t>(window.count());
  if (current.in_window < options_.body_rate * length / 1000) return false;
  current.in_window = 0;
  peer.message_started();
  return true;
}

void responder::refuse(connection& peer, session& self, const refusal& why, method asked) const {
  if (!self.reading) peer.message_started();  // refused with its first bytes: that is reading, too
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
  write_head(peer, answer, to, body);
  peer.announced_close();
  if (options_.access_log) {
    self.last_line = std::make_unique<std::string>(
        self.current
            ? access_line(self.current->request, why.status, body.size(), peer.age() - self.started)
            : access_line(peer, why.status));
  }
}

void responder::on_deadline(connection& peer, session& self, close_reason why) const {
  if (self.is_upgraded()) {
    auto& goodbye = self.current->streamed->on_deadline_call;
    if (goodbye) goodbye(why);
    return;
  }
  if (why == close_reason::idle_timeout || why == close_reason::lifetime ||
      why == close_reason::drain) {
    return;  // clients were told
  }
  if (self.head_sent) return peer.close(why, close_method::abort);  // or it would look finished
  const method asked = self.current ? self.current->what.method : method::get;
  if (why == close_reason::read_timeout) {
    say_last_words(peer, self, too_slow, asked);
  } else if (why == close_reason::handle_timeout) {
    say_last_words(peer, self, {status::service_unavailable, "the answer took too long"}, asked);
  }
}

}  // namespace dwell::http
