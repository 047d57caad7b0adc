#include "client/source_pool.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <span>
#include <stdexcept>
#include <string>

namespace dwell::inline v0 {
namespace {

[[noreturn]] void refuse(std::string_view text) {
  throw std::invalid_argument{"source = \"" + std::string{text} +
                              "\": an IPv4 or IPv6 address was expected, or a network such as "
                              "10.0.0.0/24"};
}

/// The bytes of an address, the first the most significant.
std::span<std::uint8_t> bytes_of(raw_address& address) noexcept {
  if (address.family() == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    return {reinterpret_cast<std::uint8_t*>(&in.sin_addr), sizeof in.sin_addr};
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
  return {reinterpret_cast<std::uint8_t*>(&in.sin6_addr), sizeof in.sin6_addr};
}

void add(std::span<std::uint8_t> number, std::uint64_t what) noexcept {
  for (std::size_t i = number.size(); i-- > 0 && what != 0; what >>= 8U) {
    what += number[i];
    number[i] = static_cast<std::uint8_t>(what);
  }
}

void clear_host_bits(std::span<std::uint8_t> number, unsigned prefix) noexcept {
  for (std::size_t i = 0; i < number.size(); ++i) {
    const unsigned here = std::min(8U, prefix - std::min(prefix, static_cast<unsigned>(8 * i)));
    number[i] = static_cast<std::uint8_t>(number[i] & ~(0xffU >> here));
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

  const std::span<std::uint8_t> number = bytes_of(first_);
  const auto width = static_cast<unsigned>(8 * number.size());
  unsigned prefix = 0;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      prefix > width) {
    refuse(text);
  }
  clear_host_bits(number, prefix);
  const unsigned host_bits = std::min(width - prefix, 31U);
  size_ = std::uint32_t{1} << host_bits;
  if (host_bits < 2) return;
  size_ -= 2;  // the network's own address and its broadcast
  add(number, 1);
}

raw_address source_pool::at(std::uint32_t n) const noexcept {
  raw_address chosen = first_;
  add(bytes_of(chosen), n % size_);
  return chosen;
}

}  // namespace dwell::inline v0
