#include "net/proxy_header.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

namespace dwell::inline v0 {
namespace {

using progress = proxy_header::progress;

constexpr std::string_view text_begin = "PROXY ";
constexpr std::size_t longest_line = 107;  // with its CRLF: section 2.1
constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t fixed_size = 16;
constexpr unsigned version_2 = 2;
constexpr std::size_t tlv_begin = 3;  // type and length
constexpr unsigned crc32c_type = 3;
constexpr std::size_t crc32c_size = 4;

proxy_header malformed(std::string_view why) noexcept {
  return {.now = progress::malformed, .failure = why};
}

socket_address address_of(int family, const void* raw, std::uint16_t port) noexcept {
  sockaddr_storage storage{};
  if (family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, raw, sizeof in.sin_addr);
    std::memcpy(&storage, &in, sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, raw, sizeof in.sin6_addr);
    std::memcpy(&storage, &in, sizeof in);
  }
  return socket_address::from(storage);
}

// ── version 1: a line of text ──

/// Up to the next space, which is taken too.
std::string_view next_word(std::string_view& line) noexcept {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) noexcept {
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, port);
  if (digits.empty() || error != std::errc{} || rest != end) return std::nullopt;
  return port;
}

bool parse_address(int family, std::string_view word, in6_addr& into) noexcept {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (word.size() >= text.size()) return false;
  std::ranges::copy(word, text.begin());
  return word.find('\0') == std::string_view::npos && ::inet_pton(family, text.data(), &into) == 1;
}

/// `line` without its CRLF, `size` with it.
proxy_header read_line(std::string_view line, std::size_t size) noexcept {
  line.remove_prefix(text_begin.size());
  const bool ends_after_family = line.find(' ') == std::string_view::npos;
  const std::string_view family_name = next_word(line);
  if (family_name == "UNKNOWN") return {.now = progress::complete, .size = size};
  const int family = family_name == "TCP4" ? AF_INET : AF_INET6;
  if (family == AF_INET6 && family_name != "TCP6")
    return malformed("TCP4, TCP6 or UNKNOWN expected");
  in6_addr source{};
  in6_addr destination{};
  if (ends_after_family || !parse_address(family, next_word(line), source) ||
      !parse_address(family, next_word(line), destination)) {
    return malformed("two addresses of its family expected");
  }
  const auto source_port = parse_port(next_word(line));
  const bool ends_here = line.find(' ') == std::string_view::npos;  // no word after the last
  const auto destination_port = parse_port(line);
  if (!source_port || !ends_here || !destination_port) return malformed("two ports expected");
  return {
      .now = progress::complete, .size = size, .client = address_of(family, &source, *source_port)};
}

proxy_header read_text(std::string_view begin) noexcept {
  const std::string_view searched = begin.substr(0, longest_line);
  const std::size_t end = searched.find("\r\n");
  if (end != std::string_view::npos) return read_line(searched.substr(0, end), end + 2);
  if (searched.size() == longest_line) return malformed("a line longer than 107 bytes");
  return {};
}

// ── version 2: binary ──

unsigned byte_at(std::string_view from, std::size_t at) noexcept {
  return static_cast<unsigned char>(from[at]);
}
std::uint16_t number_at(std::string_view from, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(from, at) << 8U | byte_at(from, at + 1));
}

/// CRC-32C (RFC 4960, appendix B), where the bytes from `zeros_at` count as 0.
std::uint32_t crc32c_of(std::string_view header, std::size_t zeros_at) noexcept {
  std::uint32_t crc = 0xffff'ffff;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool is_zero = i >= zeros_at && i < zeros_at + crc32c_size;
    crc ^= is_zero ? 0 : byte_at(header, i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0x82F6'3B78U : 0);
  }
  return ~crc;
}

/// What follows the addresses is skipped, but has to be whole; a checksum has to be right.
std::string_view check_additions(std::string_view header, std::size_t at) noexcept {
  bool has_checksum = false;
  while (at != header.size()) {
    if (header.size() - at < tlv_begin) return "a TLV that is cut";
    const unsigned type = byte_at(header, at);
    const std::size_t size = number_at(header, at + 1);
    at += tlv_begin;
    if (header.size() - at < size) return "a TLV beyond the header";
    if (type == crc32c_type) {
      if (size != crc32c_size || has_checksum) return "a CRC32C that is none";
      has_checksum = true;
      const std::uint32_t said =
          std::uint32_t{number_at(header, at)} << 16U | number_at(header, at + 2);
      if (said != crc32c_of(header, at)) return "a CRC32C that is wrong";
    }
    at += size;
  }
  return {};
}

struct family_of {
  int family;
  std::size_t addresses;  // bytes
};

std::optional<family_of> known_family(unsigned nibble) noexcept {
  switch (nibble) {
    case 0: return family_of{AF_UNSPEC, 0};
    case 1: return family_of{AF_INET, 12};
    case 2: return family_of{AF_INET6, 36};
    case 3: return family_of{AF_UNIX, 216};
    default: return std::nullopt;
  }
}

/// `header` is whole.
proxy_header read_addresses(std::string_view header) noexcept {
  const unsigned protocol = byte_at(header, 13) & 0xfU;
  const auto [family, addresses] = *known_family(byte_at(header, 13) >> 4U);
  const proxy_header own{.now = progress::complete, .size = header.size()};
  // Of what it does not say, and of datagrams, the block is skipped as a whole.
  if (family == AF_UNSPEC || protocol != 1) return own;
  if (header.size() < fixed_size + addresses) return malformed("too short for its addresses");
  if (const auto why = check_additions(header, fixed_size + addresses); !why.empty()) {
    return malformed(why);
  }
  proxy_header made = own;
  if (family == AF_UNIX) {
    sockaddr_storage storage{};
    storage.ss_family = AF_UNIX;
    made.client = socket_address::from(storage);
  } else {
    const std::size_t port_at = fixed_size + (family == AF_INET ? 8 : 32);
    made.client = address_of(family, header.data() + fixed_size, number_at(header, port_at));
  }
  return made;
}

proxy_header read_binary(std::string_view begin) noexcept {
  constexpr std::size_t command_at = 12;
  constexpr std::size_t family_at = 13;
  constexpr std::size_t length_at = 14;
  bool is_local = false;
  if (begin.size() > command_at) {
    const unsigned command = byte_at(begin, command_at) & 0xfU;
    if (byte_at(begin, command_at) >> 4U != version_2) return malformed("a version that is not 2");
    if (command > 1) return malformed("a command that is neither LOCAL nor PROXY");
    is_local = command == 0;
  }
  if (begin.size() > family_at && !is_local) {
    const unsigned both = byte_at(begin, family_at);
    if (!known_family(both >> 4U) || (both & 0xfU) > 2) return malformed("an unknown family");
  }
  if (begin.size() < fixed_size) return {};
  const std::size_t size = fixed_size + number_at(begin, length_at);
  if (size > proxy_header::longest) return malformed("a header longer than 4096 bytes");
  if (begin.size() < size) return {};
  if (is_local) return {.now = progress::complete, .size = size};
  return read_addresses(begin.substr(0, size));
}

bool begins_alike(std::string_view a, std::string_view b) noexcept {
  const std::size_t both = std::min(a.size(), b.size());
  return a.substr(0, both) == b.substr(0, both);
}

}  // namespace

proxy_header read_proxy_header(bytes begin) noexcept {
  const std::string_view text = begin.text();
  if (begins_alike(text, signature)) {
    return text.size() < signature.size() ? proxy_header{} : read_binary(text);
  }
  if (begins_alike(text, text_begin)) {
    return text.size() < text_begin.size() ? proxy_header{} : read_text(text);
  }
  return malformed("no PROXY header");
}

}  // namespace dwell::inline v0
