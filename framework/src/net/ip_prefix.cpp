#include "net/ip_prefix.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <netinet/in.h>
#include <stdexcept>
#include <string_view>

namespace dwell::inline v0 {
namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned mapped_bits = 8 * mapped.size();
constexpr unsigned all_bits = 128;

[[noreturn]] void refuse(const std::string& text) {
  throw std::invalid_argument{"proxy_protocol.from: \"" + text +
                              "\": an IPv4 or IPv6 address, a network such as 10.0.0.0/24, or "
                              "unix: was expected"};
}

}  // namespace

std::optional<ip_address> ip_address::of(const socket_address& peer) noexcept {
  ip_address found;
  if (peer.family() == AF_INET6) {
    found.bytes = peer.raw();
  } else if (peer.family() == AF_INET) {
    std::ranges::copy(mapped, found.bytes.begin());
    std::copy_n(peer.raw().begin(), sizeof(in_addr), found.bytes.begin() + mapped.size());
  } else {
    return std::nullopt;
  }
  return found;
}

bool ip_address::is_v4() const noexcept {
  return std::equal(mapped.begin(), mapped.end(), bytes.begin());
}

ip_address ip_address::prefix(unsigned v4_bits, unsigned v6_bits) const noexcept {
  unsigned left = is_v4() ? mapped_bits + v4_bits : v6_bits;
  ip_address cut = *this;
  for (std::uint8_t& digit : cut.bytes) {
    const unsigned here = std::min(8U, left);
    digit = static_cast<std::uint8_t>(digit & ~(0xffU >> here));
    left -= here;
  }
  return cut;
}

address_set::address_set(const std::vector<std::string>& members) {
  for (const std::string& each : members) {
    if (each == "unix:") {
      unix_ = true;
    } else {
      networks_.push_back(parse(each));
    }
  }
}

address_set::network address_set::parse(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string literal = text.substr(0, slash);
  network made{};
  in_addr v4{};
  unsigned width = all_bits;
  if (::inet_pton(AF_INET, literal.c_str(), &v4) == 1) {
    width -= mapped_bits;
    std::ranges::copy(mapped, made.address.bytes.begin());
    const auto* const first = reinterpret_cast<const std::uint8_t*>(&v4);
    std::copy_n(first, sizeof v4, made.address.bytes.begin() + mapped.size());
  } else if (::inet_pton(AF_INET6, literal.c_str(), made.address.bytes.data()) != 1) {
    refuse(text);
  }
  made.bits = width;
  if (slash != std::string::npos) {
    const std::string_view digits = std::string_view{text}.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, made.bits);
    if (digits.empty() || error != std::errc{} || rest != end || made.bits > width) refuse(text);
  }
  if (width == all_bits && made.address.is_v4()) {  // ::ffff:10.0.0.0/104
    if (made.bits < mapped_bits) refuse(text);
    made.bits -= mapped_bits;
  }
  made.address = made.address.prefix(made.bits, made.bits);
  return made;
}

bool address_set::contains(const socket_address& peer) const noexcept {
  const auto address = ip_address::of(peer);
  if (!address) return unix_ && peer.family() == AF_UNIX;
  const bool v4 = address->is_v4();
  return std::ranges::any_of(networks_, [&](const network& each) {
    return each.address.is_v4() == v4 && address->prefix(each.bits, each.bits) == each.address;
  });
}

}  // namespace dwell::inline v0
