#include "http/websocket_frame.hpp"

#include <algorithm>
#include <cstring>

namespace dwell::http {
namespace {

constexpr std::uint8_t fin = 0x80;

/// `text` up to `most` bytes, without half a character at its end.
std::string_view cut_utf8(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  while (most > 0 && continues(text[most])) --most;
  return text.substr(0, most);
}

}  // namespace

websocket_frame_header::websocket_frame_header(websocket_opcode what,
                                               std::uint64_t payload) noexcept {
  bytes_[0] = static_cast<std::byte>(fin | static_cast<std::uint8_t>(what));
  const unsigned length_bytes = payload < 126 ? 0 : payload <= 0xFFFF ? 2 : 8;
  bytes_[1] = static_cast<std::byte>(length_bytes == 0 ? payload : length_bytes == 2 ? 126 : 127);
  for (unsigned i = 0; i < length_bytes; ++i) {
    bytes_[2 + i] = static_cast<std::byte>(payload >> (8 * (length_bytes - 1 - i)));
  }
  size_ = static_cast<std::uint8_t>(2 + length_bytes);
}

std::string encode_websocket_frame(websocket_opcode what, bytes payload) {
  const websocket_frame_header header{what, payload.size()};
  std::string made;
  made.reserve(header.encoded().size() + payload.size());
  made.append(header.encoded().text()).append(payload.text());
  return made;
}

websocket_close_payload::websocket_close_payload(std::uint16_t code,
                                                 std::string_view reason) noexcept {
  bytes_[0] = static_cast<std::byte>(code >> 8U);
  bytes_[1] = static_cast<std::byte>(code & 0xFFU);
  const std::string_view said = cut_utf8(reason, bytes_.size() - 2);
  std::ranges::copy(bytes{said}, bytes_.begin() + 2);
  size_ = static_cast<std::uint8_t>(2 + said.size());
}

bool is_websocket_close_code(std::uint16_t code) noexcept {
  switch (code) {
    case 1004:  // reserved; the next two are never sent
    case 1005:
    case 1006: return false;
    default: return (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999);
  }
}

void apply_websocket_mask(std::span<std::byte> data, websocket_mask mask,
                          std::size_t offset) noexcept {
  std::rotate(mask.begin(), mask.begin() + static_cast<std::ptrdiff_t>(offset % 4), mask.end());
  std::uint32_t four = 0;
  std::memcpy(&four, mask.data(), 4);
  const std::uint64_t eight = std::uint64_t{four} << 32U | four;
  std::size_t at = 0;
  for (std::uint64_t part; data.size() - at >= 8; at += 8) {
    std::memcpy(&part, data.data() + at, 8);
    part ^= eight;
    std::memcpy(data.data() + at, &part, 8);
  }
  for (; at < data.size(); ++at) data[at] ^= mask[at % 4];
}

}  // namespace dwell::http
