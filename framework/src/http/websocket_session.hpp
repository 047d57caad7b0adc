#pragma once

#include <dwell/closing/close_reason.hpp>
#include <dwell/http/websocket.hpp>

#include "http/websocket_decoder.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dwell::http {

/// A WebSocket, and how far it is. Lives in the coroutine that runs its handler.
struct websocket_session final : websocket {
  websocket_session(exchange& on, const websocket_options& how, std::string_view agreed);
  ~websocket_session();
  static websocket_session& of(websocket& which) noexcept {
    return static_cast<websocket_session&>(which);
  }
  static const websocket_session& of(const websocket& which) noexcept {
    return static_cast<const websocket_session&>(which);
  }

  /// Unless it is over.
  bool send(websocket_opcode what, bytes payload) noexcept;
  bool send_frame(websocket_opcode what, bytes payload) noexcept;
  /// A Close of ours, unless there was one. `code` may be no_code.
  void send_close(std::uint16_t code, std::string_view reason) noexcept;
  /// The connection is about to end, and not by us.
  void say_goodbye(close_reason why) noexcept;
  /// The handler has thrown.
  void fail() noexcept;
  /// Waits for the peer's Close, having sent ours.
  task<> await_close();

  /// What is no message.
  void obey(const websocket_event& what);
  /// What waits for input is: idle, or a message that has begun.
  void mark_phase() noexcept;
  void note_end() noexcept;

  /// Calls beat() every ping_interval, as long as its WebSocket lives.
  struct heart {
    websocket_session* socket;
    duration interval;
    std::uint64_t seen = 0;  // bytes received at the last beat
    bool pinged = false;     // and nothing came since
  };
  static void beat_later(connection& peer, std::shared_ptr<heart> which);
  void beat(heart& own) noexcept;

  exchange* x;
  std::string_view agreed_protocol;
  websocket_decoder decoder;
  std::span<std::byte> input;  // what was read and not decoded
  std::string close_reason_text;
  std::shared_ptr<heart> beating;
  std::optional<websocket_close_code> code;
  bool sent_close = false;
  bool got_close = false;
  bool reading = false;       // read() waits for the peer
  bool message_open = false;  // the connection was told that a message has begun
};

}  // namespace dwell::http
