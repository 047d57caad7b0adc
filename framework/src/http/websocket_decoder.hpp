#pragma once

#include <dwell/base/bytes.hpp>

#include "http/utf8.hpp"
#include "http/websocket_frame.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dwell::http {

/// What a client's frames came to.
struct websocket_event {
  enum class kind : std::uint8_t {
    none,  ///< everything is used, and no more is whole
    text,  ///< a message
    binary,
    ping,
    pong,
    close,    ///< `code` as it was sent, 1005 without; `payload` is the reason
    failure,  ///< `code` is what to close with
  };
  kind what = kind::none;
  std::uint16_t code = 0;
  const char* why = "";  ///< of a failure, for a person; static
  bytes payload{};       ///< valid until the next decode(), and as long as what it came from
};

/// Reads what a client sends over a WebSocket (RFC 6455, 5): whole messages, and the control frames
/// between their fragments. Incremental: the events are the same however the input is split, and
/// what is wrong shows with the first byte that makes it so. Memory follows the bytes that have
/// come, not the length a frame announces; at rest there is none.
class websocket_decoder {
 public:
  /// A message takes `most` bytes at most.
  explicit websocket_decoder(std::size_t most) noexcept : most_{most} {}

  /// The next event in `input`, from the front of which it removes what it has used. A message that
  /// lies in it whole, in one frame, is unmasked there and not copied. After `close` or `failure`
  /// whatever comes is dropped.
  websocket_event decode(std::span<std::byte>& input);

  /// Nothing of a frame or message has come.
  bool at_rest() const noexcept { return header_size_ == 0 && !in_payload_ && !in_message_; }

 private:
  struct fault {
    std::uint16_t code = 0;
    const char* why = "";
    explicit operator bool() const noexcept { return code != 0; }
  };

  void let_go() noexcept;
  bool read_header(std::span<std::byte>& input, fault& wrong) noexcept;
  std::size_t header_length() const noexcept;
  fault check_start() const noexcept;
  fault read_length() noexcept;
  void begin_payload() noexcept;
  bool take_payload(std::span<std::byte>& input, bytes& payload);
  fault check_text(bytes fresh) noexcept;
  websocket_event finish_frame(bytes payload);
  websocket_event close_event(bytes payload);
  websocket_event fail(fault why) noexcept;

  std::uint8_t first() const noexcept { return static_cast<std::uint8_t>(header_[0]); }
  std::uint8_t second() const noexcept { return static_cast<std::uint8_t>(header_[1]); }
  websocket_opcode opcode() const noexcept { return static_cast<websocket_opcode>(first() & 0xFU); }
  bool is_final() const noexcept { return (first() & 0x80U) != 0; }

  std::size_t most_;
  std::uint64_t length_ = 0;  // of the frame's payload
  std::uint64_t come_ = 0;    // of it
  std::string held_;          // fragments so far, and behind them what has come of a control frame
  std::size_t message_ = 0;   // of held_: what is the message's
  std::array<std::byte, 14> header_;
  std::uint8_t header_size_ = 0;  // bytes of it that have come
  utf8_validator utf8_;
  bool in_payload_ : 1 = false;  // the header is whole, the payload is not
  bool in_message_ : 1 = false;  // a message has begun and not ended
  bool is_text_ : 1 = false;
  bool hands_out_message_ : 1 = false;  // held_ has been given away
  bool ended_ : 1 = false;
};

}  // namespace dwell::http
