#pragma once

#include <dwell/base/bytes.hpp>
#include <dwell/connection/connection.hpp>
#include <dwell/connection/options.hpp>
#include <dwell/connection/task.hpp>
#include <dwell/framing/codec.hpp>

#include <cassert>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace dwell::inline v0 {

/// A connection as whole messages, for a coroutine:
///
///     dwell::framed messages{peer, dwell::length_prefixed{}};
///     while (auto request = co_await messages.read())
///       co_await messages.write(answer(request));
///
/// With it the connection's phases follow the messages: idle until the first byte of one, then read
/// until it is whole, handle until the next read(), which also ends the exchange. A message takes
/// limits.message bytes at most, framing included; whatever cannot become one that small ends the
/// connection as `protocol_error` as soon as that shows. Memory for a message follows the bytes
/// that have come, not the length it announces.
///
/// Lives in the handler's coroutine, one on a connection, and takes all of its input: no
/// connection::read() beside it. Writing to the connection directly is possible.
template <codec Codec>
class framed {
 public:
  explicit framed(connection& peer, Codec how = {}) : peer_{&peer}, codec_{std::move(how)} {
    peer.delimits_messages();
  }
  framed(const framed&) = delete;
  framed& operator=(const framed&) = delete;

  /// The next message, without its framing, perhaps of no bytes; false when no whole one will come
  /// (connection::reason() says why). Valid until the next read(), whatever is awaited in between.
  /// One at a time.
  task<bytes> read();

  /// Sends a message with its framing, in one piece with whatever else is sent before the coroutine
  /// suspends. True when it is queued or sent, as connection::write(). A message that the codec
  /// cannot frame ends the connection as `handler_failed`: the peer must not wait for it.
  write_operation write(bytes message) noexcept {
    if (!codec_.send(*peer_, message)) peer_->close(close_reason::handler_failed);
    return {*peer_, write_operation::until::below_high_watermark};
  }

 private:
  /// What has come and was not handed out: in the connection's memory while nothing is left over
  /// from before, else in `kept_`.
  bytes input() const noexcept {
    return kept_.empty() ? fresh_ : bytes{kept_}.subview(handed_out_);
  }
  void skip(std::size_t count) noexcept;
  void keep_fresh();

  connection* peer_;
  [[no_unique_address]] Codec codec_;
  bytes fresh_;
  std::string kept_;
  std::size_t handed_out_ = 0;  // of kept_
  std::size_t message_ = 0;     // bytes of the one that the user has, framing included
};

template <codec Codec>
task<bytes> framed<Codec>::read() {
  if (message_ != 0) {
    skip(std::exchange(message_, 0));
    if (!peer_->exchange_finished()) co_return bytes{};
  }
  for (std::size_t seen = 0;;) {
    if (const bytes all = input(); !all.empty()) {
      if (seen == 0) peer_->message_started();
      const std::optional<frame> found = codec_.find(all, seen);
      assert(!found || found->size > 0);
      if (!found || found->size > peer_->options().limits.message) {
        peer_->close(close_reason::protocol_error);
        co_return bytes{};
      }
      if (found->size <= all.size()) {
        peer_->message_received();
        message_ = found->size;
        co_return all.subview(found->begin).first(found->length);
      }
      seen = all.size();
    }
    keep_fresh();
    const bytes more = co_await peer_->read();
    if (!more) co_return bytes{};
    if (kept_.empty()) {
      fresh_ = more;
    } else {
      kept_ += more.text();
    }
  }
}

template <codec Codec>
void framed<Codec>::skip(std::size_t count) noexcept {
  if (kept_.empty()) {
    fresh_ = fresh_.subview(count);
  } else {
    handed_out_ += count;
  }
}

/// Before the connection is read again: what is left of its bytes must not go with them. Each byte
/// is moved here once at most.
template <codec Codec>
void framed<Codec>::keep_fresh() {
  if (kept_.empty()) {
    kept_ = fresh_.text();
    fresh_ = {};
  } else if (handed_out_ == kept_.size()) {
    std::string{}.swap(kept_);  // an idle connection owns no buffer; an assignment would keep it
  } else {
    kept_.erase(0, handed_out_);
  }
  handed_out_ = 0;
}

}  // namespace dwell::inline v0
