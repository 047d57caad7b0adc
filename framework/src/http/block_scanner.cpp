#include "http/block_scanner.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace dwell::http {
namespace {

/// Room for method and version beside the target.
constexpr std::size_t request_line_extra = 64;

/// What may stand within a line. Bytes above 0x7F are a field value's own business.
constexpr auto plain = [] {
  std::array<bool, 256> is{};
  for (std::size_t c = 0; c < is.size(); ++c) is[c] = c == '\t' || (c >= ' ' && c != 0x7F);
  return is;
}();

/// Where the first byte is, from `at` on, that may not stand within a line. Eight at a time: most
/// of a head is plain. In the lowest byte that is marked there is no error (a borrow goes upwards).
std::size_t skip_plain(const char* text, std::size_t at, std::size_t end) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = ones << 7U;
  while (std::endian::native == std::endian::little && at + sizeof(std::uint64_t) <= end) {
    std::uint64_t word = 0;
    std::memcpy(&word, text + at, sizeof word);
    const std::uint64_t below_space = (word - ones * ' ') & ~word & tops;
    const std::uint64_t no_delete = word ^ (ones * 0x7F);
    const std::uint64_t is_delete = (no_delete - ones) & ~no_delete & tops;
    const std::uint64_t marked = below_space | is_delete;
    at += static_cast<std::size_t>(std::countr_zero(marked)) / 8;
    if (marked == 0) continue;
    if (text[at] != '\t') return at;
    ++at;
  }
  while (at < end && plain[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

constexpr block_scanner::verdict refuse(status code, const char* why) noexcept {
  return {.refused = refusal{code, why}};
}

}  // namespace

block_scanner::verdict block_scanner::scan(std::string_view input,
                                           const head_limits& limits) noexcept {
  std::size_t at = scanned_;
  std::size_t line = line_;
  for (std::uint32_t lines = lines_;;) {
    const bool request_line = lines == 0;
    const std::size_t most =
        request_line ? std::min(limits.size, limits.target + request_line_extra) : limits.size;
    const std::size_t end = std::min(input.size(), most);
    if (at == line && at < end && (input[at] == ' ' || input[at] == '\t')) {
      return refuse(status::bad_request, "a line begins with white space");
    }
    at = skip_plain(input.data(), at, end);

    if (at + 1 >= end && (at == end || input[at] == '\r')) {  // it may go on well
      if (input.size() < most) {
        scanned_ = static_cast<std::uint32_t>(at);
        line_ = static_cast<std::uint32_t>(line);
        lines_ = lines;
        return {};
      }
      if (request_line) return refuse(status::uri_too_long, "the request target is too long");
      return refuse(status::header_fields_too_large, "the header fields are too large");
    }
    if (input[at] == '\n')
      return refuse(status::bad_request, "a line feed without carriage return");
    if (input[at] != '\r') return refuse(status::bad_request, "a control character in the header");
    if (input[at + 1] != '\n') {
      return refuse(status::bad_request, "a carriage return without line feed");
    }

    const bool empty = at == line;
    at += 2;
    line = at;
    if (empty) return {.size = at};
    if (++lines > limits.fields + 1) {
      return refuse(status::header_fields_too_large, "too many header fields");
    }
  }
}

}  // namespace dwell::http
