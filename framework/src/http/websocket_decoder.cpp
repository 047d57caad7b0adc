#include "http/websocket_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace dwell::http {
namespace {

constexpr std::uint16_t protocol_error = 1002;
constexpr std::uint16_t no_code = 1005;
constexpr std::uint16_t not_utf8 = 1007;
constexpr std::uint16_t too_big = 1009;

constexpr std::uint8_t length_in_2 = 126;
constexpr std::uint8_t length_in_8 = 127;

constexpr bool is_known(websocket_opcode what) noexcept {
  switch (what) {
    case websocket_opcode::continuation:
    case websocket_opcode::text:
    case websocket_opcode::binary:
    case websocket_opcode::close:
    case websocket_opcode::ping:
    case websocket_opcode::pong: return true;
  }
  return false;
}

std::span<std::byte> take(std::span<std::byte>& from, std::size_t count) noexcept {
  const auto taken = from.first(count);
  from = from.subspan(count);
  return taken;
}

}  // namespace

websocket_event websocket_decoder::decode(std::span<std::byte>& input) {
  let_go();
  while (!ended_ && !input.empty()) {
    if (!in_payload_) {
      fault wrong;
      const bool whole = read_header(input, wrong);
      if (wrong) return fail(wrong);
      if (!whole) return {};
      begin_payload();
    }
    bytes payload;
    const bool whole = take_payload(input, payload);
    if (is_text_ && !is_control(opcode())) {
      if (const fault wrong = check_text(payload)) return fail(wrong);
    }
    if (!whole) return {};
    if (const websocket_event found = finish_frame(payload);
        found.what != websocket_event::kind::none) {
      return found;
    }
  }
  if (ended_) input = {};
  return {};
}

/// What the last event was made of is not needed any more.
void websocket_decoder::let_go() noexcept {
  if (hands_out_message_) {
    message_ = 0;
    hands_out_message_ = false;
  }
  if (in_payload_) return;
  if (message_ == 0) {
    std::string{}.swap(held_);  // an assignment would keep the memory
  } else {
    held_.resize(message_);
  }
}

// ── the header ──

/// True when it is whole. Its two first bytes are judged as soon as they are here.
bool websocket_decoder::read_header(std::span<std::byte>& input, fault& wrong) noexcept {
  while (header_size_ < header_length()) {
    if (input.empty()) return false;
    const std::size_t count = std::min(header_length() - header_size_, input.size());
    const auto part = take(input, count);
    std::memcpy(header_.data() + header_size_, part.data(), count);
    const bool had_start = header_size_ >= 2;
    header_size_ = static_cast<std::uint8_t>(header_size_ + count);
    if (!had_start && header_size_ >= 2 && (wrong = check_start())) return false;
  }
  wrong = read_length();
  return !wrong;
}

/// As far as it can be told yet.
std::size_t websocket_decoder::header_length() const noexcept {
  if (header_size_ < 2) return 2;
  const unsigned length = second() & 0x7FU;
  return 2U + (length == length_in_8 ? 8U : length == length_in_2 ? 2U : 0U) + 4U;
}

websocket_decoder::fault websocket_decoder::check_start() const noexcept {
  if ((first() & 0x70U) != 0) {
    return {protocol_error, "a reserved bit is set, and no extension was agreed on"};
  }
  const websocket_opcode what = opcode();
  if (!is_known(what)) return {protocol_error, "the opcode is reserved"};
  if ((second() & 0x80U) == 0) return {protocol_error, "a client's frame is not masked"};
  if (is_control(what)) {
    if (!is_final()) return {protocol_error, "a control frame is fragmented"};
    if ((second() & 0x7FU) > longest_control_payload) {
      return {protocol_error, "a control frame is longer than 125 bytes"};
    }
  } else if (what == websocket_opcode::continuation && !in_message_) {
    return {protocol_error, "there is no message to continue"};
  } else if (what != websocket_opcode::continuation && in_message_) {
    return {protocol_error, "a message begins inside of another"};
  }
  return {};
}

websocket_decoder::fault websocket_decoder::read_length() noexcept {
  length_ = second() & 0x7FU;
  const unsigned size = length_ == length_in_8 ? 8 : length_ == length_in_2 ? 2 : 0;
  if (size != 0) {
    length_ = 0;
    for (unsigned i = 0; i < size; ++i) {
      length_ = length_ << 8U | static_cast<std::uint8_t>(header_[2 + i]);
    }
    if (length_ >> 63U != 0) return {protocol_error, "the length has its first bit set"};
    if (length_ < (size == 2 ? 126U : 0x10000U)) {
      return {protocol_error, "the length takes more bytes than it needs"};
    }
  }
  if (!is_control(opcode()) && length_ > most_ - message_) {
    return {too_big, "the message is too big"};
  }
  return {};
}

void websocket_decoder::begin_payload() noexcept {
  in_payload_ = true;
  come_ = 0;
  if (is_control(opcode()) || in_message_) return;
  in_message_ = true;
  is_text_ = opcode() == websocket_opcode::text;
  utf8_ = {};
}

// ── the payload ──

/// Unmasks what has come of it: in place when that is a frame's whole payload that continues
/// nothing, else behind what is held. True when it is whole. `payload` is the part that came, or of
/// a control frame that is whole all of it.
bool websocket_decoder::take_payload(std::span<std::byte>& input, bytes& payload) {
  websocket_mask mask;
  std::memcpy(mask.data(), header_.data() + header_size_ - mask.size(), mask.size());
  const auto part =
      take(input, static_cast<std::size_t>(std::min<std::uint64_t>(length_ - come_, input.size())));
  const bool control = is_control(opcode());
  const bool alone = control || (is_final() && message_ == 0);
  if (come_ == 0 && part.size() == length_ && alone) {
    apply_websocket_mask(part, mask, 0);
    payload = part.empty() ? bytes{""} : bytes{part};
    come_ = length_;
    return true;
  }
  const std::size_t begin = held_.size();
  held_.append(reinterpret_cast<const char*>(part.data()), part.size());
  const std::span<std::byte> copy{reinterpret_cast<std::byte*>(held_.data()) + begin, part.size()};
  apply_websocket_mask(copy, mask, static_cast<std::size_t>(come_ % 4));
  come_ += part.size();
  if (!control) message_ = held_.size();
  payload = control ? bytes{held_}.subview(message_) : bytes{copy};
  return come_ == length_;
}

/// A text is looked at as it comes, and nobody waits for the rest of one that is none.
websocket_decoder::fault websocket_decoder::check_text(bytes fresh) noexcept {
  const bool at_end = is_final() && come_ == length_;
  if (utf8_.accept(fresh) && (!at_end || utf8_.is_complete())) return {};
  return {not_utf8, "a text is not UTF-8"};
}

/// `payload`: of a control frame, or a message that came in one piece.
websocket_event websocket_decoder::finish_frame(bytes payload) {
  using kind = websocket_event::kind;
  in_payload_ = false;
  header_size_ = 0;
  switch (opcode()) {
    case websocket_opcode::ping: return {.what = kind::ping, .payload = payload};
    case websocket_opcode::pong: return {.what = kind::pong, .payload = payload};
    case websocket_opcode::close: return close_event(payload);
    default: break;
  }
  if (!is_final()) return {};
  in_message_ = false;
  hands_out_message_ = message_ != 0;
  return {.what = is_text_ ? kind::text : kind::binary,
          .payload = hands_out_message_ ? bytes{held_} : bytes{payload.data(), payload.size()}};
}

websocket_event websocket_decoder::close_event(bytes payload) {
  using kind = websocket_event::kind;
  ended_ = true;
  if (payload.empty()) return {.what = kind::close, .code = no_code, .payload = payload};
  if (payload.size() == 1) return fail({protocol_error, "half a close code"});
  const auto code =
      static_cast<std::uint16_t>(static_cast<std::uint16_t>(payload.begin()[0]) << 8U |
                                 static_cast<std::uint16_t>(payload.begin()[1]));
  if (!is_websocket_close_code(code)) return fail({protocol_error, "the close code is reserved"});
  const bytes reason = payload.subview(2);
  utf8_validator utf8;
  if (!utf8.accept(reason) || !utf8.is_complete()) {
    return fail({not_utf8, "the reason to close is not UTF-8"});
  }
  return {.what = kind::close, .code = code, .payload = reason};
}

websocket_event websocket_decoder::fail(fault why) noexcept {
  ended_ = true;
  return {.what = websocket_event::kind::failure, .code = why.code, .why = why.why};
}

}  // namespace dwell::http
