#pragma once

#include <dwell/http/exchange.hpp>
#include <dwell/http/response.hpp>
#include <dwell/http/status.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace dwell::http {

struct held_request;
struct session;

/// An exchange, and how far it is. Part of the held_request whose handler streams.
struct streamed_exchange final : exchange {
  enum class answer : std::uint8_t { none, whole, begun, upgraded };

  streamed_exchange(connection& on, session& of, held_request& asked) noexcept
      : peer{&on}, self{&of}, held{&asked} {}
  static streamed_exchange& of(exchange& which) noexcept {
    return static_cast<streamed_exchange&>(which);
  }
  static const streamed_exchange& of(const exchange& which) noexcept {
    return static_cast<const streamed_exchange&>(which);
  }

  /// Input is its own, whether somebody reads or not.
  bool takes_input() const noexcept;
  bool is_upgraded() const noexcept { return state == answer::upgraded; }
  /// Lets go of what was read, and has a buffer for more.
  void make_room() noexcept;
  /// The reader goes on, with what is in held_request::body if that is fresh. Inside a callback of
  /// the connection. The exchange may be gone afterwards.
  void resume_reader();
  /// The answer's last bytes, after which the next one's may follow. False: some are missing.
  bool end() noexcept;

  connection* peer;
  session* self;
  held_request* held;
  exchange_read* reader = nullptr;
  std::optional<response> whole;
  std::optional<std::uint64_t> left;  // of an answer whose size was announced
  unique_function<void(close_reason)> on_deadline_call;
  std::string fault;        // why the answer cannot be sent
  std::uint64_t sent = 0;   // bytes of the answer's body
  duration waited{0};       // for bytes, since as many came as have to
  duration waits_since{0};  // as the connection's age
  http::status code = status::ok;
  answer state = answer::none;
  bool complete = false;        // all of the request's body is here
  bool fresh = false;           // held_request::body has bytes that nobody has seen
  bool ended = false;           // the client sends no more
  bool wants_continue = false;  // the client waits for 100
  bool chunked = false;
  bool bodiless = false;  // nothing of what is written is sent
  bool closes = false;    // the connection, after the answer
};

}  // namespace dwell::http
