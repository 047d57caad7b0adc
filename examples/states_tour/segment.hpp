#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

enum class side : std::uint8_t { client, server };

constexpr side other(side one) noexcept {
  return one == side::client ? side::server : side::client;
}
constexpr std::string_view to_string(side one) noexcept {
  return one == side::client ? "client" : "server";
}

/// A TCP segment in its Ethernet frame. A value.
class segment {
 public:
  /// nullopt: the frame carries something else than TCP over IPv4.
  static std::optional<segment> parse(side from, std::vector<std::uint8_t> frame);

  side from() const noexcept { return from_; }
  /// "SYN", "SYN, ACK", "FIN, ACK", …
  std::string flags() const;
  std::uint16_t source_port() const noexcept { return number16(tcp_); }
  std::uint16_t destination_port() const noexcept { return number16(tcp_ + 2); }
  const std::vector<std::uint8_t>& frame() const noexcept { return frame_; }
  /// Whether this is the other one, sent again. What it acknowledges may have grown.
  bool repeats(const segment& earlier) const noexcept;

 private:
  segment(side from, std::vector<std::uint8_t> frame, std::size_t tcp, std::size_t end);
  std::uint16_t number16(std::size_t at) const noexcept;
  /// The kernel leaves it to a device that does not exist here.
  void complete_checksum();

  side from_;
  std::vector<std::uint8_t> frame_;
  std::size_t tcp_;  ///< where its header begins
};
