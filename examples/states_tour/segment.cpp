#include "segment.hpp"

#include <array>
#include <utility>

namespace {

constexpr std::size_t ethernet = 14;  // bytes of its header
constexpr std::size_t smallest_ip = 20;
constexpr std::size_t smallest_tcp = 20;
constexpr std::uint8_t tcp_protocol = 6;
constexpr std::size_t flags_at = 13;
constexpr std::size_t checksum_at = 16;
constexpr std::uint8_t fin = 1;
constexpr std::uint8_t syn = 2;
constexpr std::uint8_t rst = 4;
constexpr std::uint8_t ack = 16;

}  // namespace

std::optional<segment> segment::parse(side from, std::vector<std::uint8_t> frame) {
  if (frame.size() < ethernet + smallest_ip || frame[12] != 8 || frame[13] != 0) return {};
  const std::size_t header = std::size_t{frame[ethernet] & 15U} * 4;
  const std::size_t end = ethernet + std::size_t{frame[16]} * 256 + frame[17];
  if (frame[ethernet] >> 4 != 4 || header < smallest_ip || frame[23] != tcp_protocol ||
      end > frame.size() || end < ethernet + header + smallest_tcp) {
    return {};
  }
  return segment{from, std::move(frame), ethernet + header, end};
}

segment::segment(side from, std::vector<std::uint8_t> frame, std::size_t tcp, std::size_t end)
    : from_{from}, frame_{std::move(frame)}, tcp_{tcp} {
  frame_.resize(end);
  complete_checksum();
}

std::uint16_t segment::number16(std::size_t at) const noexcept {
  return static_cast<std::uint16_t>(frame_[at] << 8 | frame_[at + 1]);
}

void segment::complete_checksum() {
  frame_[tcp_ + checksum_at] = frame_[tcp_ + checksum_at + 1] = 0;
  std::uint32_t sum = tcp_protocol + static_cast<std::uint32_t>(frame_.size() - tcp_);
  const std::size_t addresses = ethernet + 12;  // of source and destination, 8 bytes
  for (std::size_t at = addresses; at < addresses + 8; at += 2) sum += number16(at);
  for (std::size_t at = tcp_; at + 1 < frame_.size(); at += 2) sum += number16(at);
  if ((frame_.size() - tcp_) % 2 != 0) sum += static_cast<std::uint32_t>(frame_.back()) << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame_[tcp_ + checksum_at] = static_cast<std::uint8_t>(~sum >> 8);
  frame_[tcp_ + checksum_at + 1] = static_cast<std::uint8_t>(~sum);
}

std::string segment::flags() const {
  // PSH, which says nothing about states, is left out.
  constexpr std::array<std::pair<std::uint8_t, std::string_view>, 4> names{
      {{syn, "SYN"}, {fin, "FIN"}, {rst, "RST"}, {ack, "ACK"}}};
  std::string said;
  for (const auto& [bit, name] : names) {
    if ((frame_[tcp_ + flags_at] & bit) == 0) continue;
    if (!said.empty()) said += ", ";
    said += name;
  }
  return said;
}

bool segment::repeats(const segment& earlier) const noexcept {
  const auto same16 = [&](std::size_t offset) {
    return number16(tcp_ + offset) == earlier.number16(earlier.tcp_ + offset);
  };
  const std::uint8_t flags = frame_[tcp_ + flags_at];
  const bool numbered = (flags & (syn | fin)) != 0;  // of others only the acknowledgement tells
  return from_ == earlier.from_ && flags == earlier.frame_[earlier.tcp_ + flags_at] && same16(0) &&
         same16(2) &&               // ports
         same16(4) && same16(6) &&  // sequence number
         (numbered || (same16(8) && same16(10)));
}
