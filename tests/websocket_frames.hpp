#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::testing {

/// A frame as a client writes it, right or wrong; written without what the framework has for that.
struct client_frame {
  std::uint8_t opcode = 1;
  std::string payload{};
  bool fin = true;
  std::uint8_t rsv = 0;
  bool masked = true;
  std::array<std::uint8_t, 4> mask{0x37, 0xFA, 0x21, 0x3D};
  int length_bytes = -1;                     ///< 0, 2 or 8; -1: as few as it takes
  std::optional<std::uint64_t> announced{};  ///< instead of the payload's length
};

inline std::string encode(const client_frame& what) {
  std::string made;
  made += static_cast<char>((what.fin ? 0x80 : 0) | what.rsv << 4 | what.opcode);
  const std::uint64_t length = what.announced.value_or(what.payload.size());
  const int size = what.length_bytes >= 0 ? what.length_bytes
                   : length < 126         ? 0
                   : length < 65536       ? 2
                                          : 8;
  const auto seven = size == 0 ? length : size == 2 ? 126U : 127U;
  made += static_cast<char>((what.masked ? 0x80U : 0U) | seven);
  for (int i = size - 1; i >= 0; --i) made += static_cast<char>(length >> (8 * i) & 0xFF);
  if (!what.masked) return made.append(what.payload);
  for (const std::uint8_t byte : what.mask) made += static_cast<char>(byte);
  for (std::size_t i = 0; i < what.payload.size(); ++i) {
    made += static_cast<char>(static_cast<std::uint8_t>(what.payload[i]) ^ what.mask[i % 4]);
  }
  return made;
}

inline std::string text_frame(std::string payload) {
  return encode({.opcode = 1, .payload = std::move(payload)});
}
inline std::string binary_frame(std::string payload) {
  return encode({.opcode = 2, .payload = std::move(payload)});
}
inline std::string ping_frame(std::string payload = {}) {
  return encode({.opcode = 9, .payload = std::move(payload)});
}
inline std::string pong_frame(std::string payload = {}) {
  return encode({.opcode = 10, .payload = std::move(payload)});
}
inline std::string close_payload(std::uint16_t code, std::string_view reason = {}) {
  std::string made{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return made.append(reason);
}
inline std::string close_frame(std::uint16_t code = 1000, std::string_view reason = {}) {
  return encode({.opcode = 8, .payload = close_payload(code, reason)});
}

/// A frame as a server has written it.
struct server_frame {
  std::uint8_t opcode = 0;
  std::string payload;

  friend bool operator==(const server_frame&, const server_frame&) = default;
  std::uint16_t code() const {
    if (opcode != 8 || payload.size() < 2) return 0;
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(payload[0]) << 8 |
                                      static_cast<std::uint8_t>(payload[1]));
  }
};

/// What a server has sent after its handshake. `fault` says what no client would accept; a frame
/// that is not whole is `cut`.
struct server_frames {
  std::vector<server_frame> all;
  std::string fault;
  bool cut = false;
};

inline server_frames read_frames(std::string_view sent) {
  server_frames made;
  const auto byte = [&sent](std::size_t at) { return static_cast<std::uint8_t>(sent[at]); };
  while (!sent.empty() && made.fault.empty()) {
    if (sent.size() < 2) return made.cut = true, made;
    const std::size_t size = byte(1) == 127 ? 8 : byte(1) == 126 ? 2 : 0;
    if (sent.size() < 2 + size) return made.cut = true, made;
    std::uint64_t length = byte(1);
    if (size != 0) length = 0;
    for (std::size_t i = 0; i < size; ++i) length = length << 8 | byte(2 + i);
    const std::uint8_t opcode = byte(0) & 0x0F;
    const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    if (!known) made.fault = "an unknown opcode";
    if ((byte(0) & 0x70) != 0) made.fault = "a reserved bit";
    if ((byte(1) & 0x80) != 0) made.fault = "a mask";
    if (opcode >= 8 && length > 125) made.fault = "a long control frame";
    if (size == 2 ? length < 126 : size == 8 && length < 65536)
      made.fault = "too many bytes of length";
    if (!made.all.empty() && made.all.back().opcode == 8) made.fault = "something after Close";
    if (length > sent.size() - 2 - size) return made.cut = true, made;
    made.all.push_back({opcode, std::string{sent.substr(2 + size, length)}});
    sent.remove_prefix(2 + size + length);
  }
  return made;
}

/// The request of RFC 6455, 1.3, and what a server makes of its key.
inline constexpr std::string_view websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view websocket_answer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

inline std::string websocket_request(std::string_view path, std::string_view more = {}) {
  std::string made = "GET ";
  made.append(path).append(" HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  made.append("Sec-WebSocket-Key: ").append(websocket_key);
  made.append("\r\nSec-WebSocket-Version: 13\r\n").append(more).append("\r\n");
  return made;
}

}  // namespace dwell::testing
