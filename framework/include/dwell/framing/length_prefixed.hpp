#pragma once

#include <dwell/framing/codec.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace dwell::inline v0 {

/// A codec for dwell::framed: each message follows its length, an unsigned integer that counts the
/// bytes after it. By default four bytes, most significant first (network byte order); else
/// `length_prefixed<std::uint16_t, std::endian::little>{}`. A message that its length field cannot
/// count is not sent.
template <std::unsigned_integral Length = std::uint32_t, std::endian order = std::endian::big>
struct length_prefixed {
  static constexpr std::optional<frame> find(bytes input, std::size_t /*seen*/) noexcept {
    if (input.size() < prefix) return frame{.size = prefix};
    std::size_t length = 0;
    for (std::size_t i = 0; i < prefix; ++i) {
      length = length << 8U | std::to_integer<std::size_t>(input.data()[significant(i)]);
    }
    // Eight bytes can announce what no size can hold; it is above every limit either way.
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max() - prefix;
    return frame{
        .size = prefix + (length < most ? length : most), .begin = prefix, .length = length};
  }

  static bool send(connection& peer, bytes message) noexcept {
    std::size_t rest = message.size();
    if (rest > std::numeric_limits<Length>::max()) return false;
    std::array<std::byte, prefix> header{};
    for (std::size_t i = prefix; i-- > 0; rest >>= 8U) {
      header[significant(i)] = static_cast<std::byte>(rest & 0xFFU);
    }
    peer.send(std::span<const std::byte>{header});
    peer.send(message);
    return true;
  }

 private:
  static constexpr std::size_t prefix = sizeof(Length);
  /// Which byte of the field comes i-th in significance.
  static constexpr std::size_t significant(std::size_t i) noexcept {
    return order == std::endian::big ? i : prefix - 1 - i;
  }
};

}  // namespace dwell::inline v0
