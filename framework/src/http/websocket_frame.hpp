#pragma once

#include <dwell/base/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dwell::http {

/// RFC 6455, 11.8.
enum class websocket_opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

constexpr bool is_control(websocket_opcode what) noexcept {
  return (static_cast<std::uint8_t>(what) & 0x8U) != 0;
}

/// What a control frame carries at most (RFC 6455, 5.5).
inline constexpr std::size_t longest_control_payload = 125;

/// What goes before the payload of a frame that a server sends.
class websocket_frame_header {
 public:
  /// Of a whole message, or a control frame.
  websocket_frame_header(websocket_opcode what, std::uint64_t payload) noexcept;
  bytes encoded() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, 10> bytes_;
  std::uint8_t size_;
};

/// The whole frame.
std::string encode_websocket_frame(websocket_opcode what, bytes payload);

/// What a Close frame says; of `reason` as much as fits, without cutting a character.
class websocket_close_payload {
 public:
  /// Nothing.
  websocket_close_payload() noexcept = default;
  websocket_close_payload(std::uint16_t code, std::string_view reason) noexcept;
  bytes encoded() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<std::byte, longest_control_payload> bytes_{};
  std::uint8_t size_ = 0;
};

/// Whether a peer may send this code (RFC 6455, 7.4; and the registry's 1012 to 1014).
bool is_websocket_close_code(std::uint16_t code) noexcept;

using websocket_mask = std::array<std::byte, 4>;

/// Masks, or unmasks. `offset`: of the first byte in the payload.
void apply_websocket_mask(std::span<std::byte> data, websocket_mask mask,
                          std::size_t offset) noexcept;

}  // namespace dwell::http
