#include "client/source_pool.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

[[noreturn]] void refuse(std::string_view text) {
  throw std::invalid_argument{"source = \"" + std::string{text} +
                              "\": an IPv4 or IPv6 address was expected, or a network such as "
                              "10.0.0.0/24"};
}

/// An address as one number, the most significant byte first; IPv4 in the last four.
using big_number = std::array<std::uint8_t, 16>;
constexpr std::size_t v4_at = 12;

std::size_t begins_at(const raw_address& address) noexcept {
  return address.family() == AF_INET ? v4_at : 0;
}
std::size_t offset_of(const raw_address& address) noexcept {
  return address.family() == AF_INET ? offsetof(sockaddr_in, sin_addr)
                                     : offsetof(sockaddr_in6, sin6_addr);
}

big_number read_number(const raw_address& from) noexcept {
  big_number made{};
  const std::size_t begin = begins_at(from);
  std::memcpy(made.data() + begin, reinterpret_cast<const char*>(&from.storage) + offset_of(from),
              made.size() - begin);
  return made;
}

void write_number(raw_address& to, const big_number& what) noexcept {
  const std::size_t begin = begins_at(to);
  std::memcpy(reinterpret_cast<char*>(&to.storage) + offset_of(to), what.data() + begin,
              what.size() - begin);
}

void add(big_number& number, std::uint64_t what) noexcept {
  for (auto digit = number.rbegin(); digit != number.rend() && what != 0; ++digit, what >>= 8U) {
    what += *digit;
    *digit = static_cast<std::uint8_t>(what);
  }
}

void keep_leading_bits(big_number& number, unsigned count) noexcept {
  for (std::uint8_t& digit : number) {
    const unsigned here = std::min(8U, count);
    digit = static_cast<std::uint8_t>(digit & ~(0xffU >> here));
    count -= here;
  }
}

}  // namespace

source_pool::source_pool(std::string_view text) {
  if (text.empty()) return;
  const std::size_t slash = text.find('/');
  const endpoint where{std::string{text.substr(0, slash)}, 0};
  if (where.address.empty() || where.is_unix()) refuse(text);
  try {
    first_ = to_raw_address(where);
  } catch (const std::invalid_argument&) {
    refuse(text);
  }
  size_ = 1;
  if (slash == std::string_view::npos) return;

  big_number number = read_number(first_);
  const auto width = static_cast<unsigned>(8 * (number.size() - begins_at(first_)));
  unsigned prefix = 0;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      prefix > width) {
    refuse(text);
  }
  keep_leading_bits(number, 128 - width + prefix);
  const unsigned host_bits = std::min(width - prefix, 31U);
  size_ = std::uint32_t{1} << host_bits;
  if (host_bits >= 2) {
    size_ -= 2;  // the network's own address and its broadcast
    add(number, 1);
  }
  write_number(first_, number);
}

raw_address source_pool::at(std::uint32_t n) const noexcept {
  raw_address chosen = first_;
  big_number number = read_number(first_);
  add(number, n % size_);
  write_number(chosen, number);
  return chosen;
}

}  // namespace dwell::inline v0
