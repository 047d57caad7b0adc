#include "http/head.hpp"

#include "http/llhttp.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace dwell::http {
namespace {

constexpr refusal bad(const char* why) noexcept { return {status::bad_request, why}; }

// ── the request line ──

bool read_method(std::string_view name, method& into) noexcept {
  for (std::size_t i = 0; i < method_count; ++i) {
    into = static_cast<method>(i);
    if (name == to_string(into)) return true;
  }
  return false;
}

/// Of a host's name: unreserved and sub-delims (RFC 3986, 3.2.2), and '%'.
constexpr auto host_letters = [] {
  auto is = token_letters;
  for (const char c : std::string_view{"#^`|"}) is[static_cast<unsigned char>(c)] = false;
  for (const char c : std::string_view{"(),;="}) is[static_cast<unsigned char>(c)] = true;
  return is;
}();

constexpr auto target_letters = [] {
  std::array<bool, 256> is{};
  for (std::size_t c = '!'; c < 0x7F; ++c) is[c] = c != '#';
  return is;
}();

bool all_in(const std::array<bool, 256>& letters, std::string_view text) noexcept {
  for (const char c : text) {
    if (!letters[static_cast<unsigned char>(c)]) return false;
  }
  return true;
}

/// An IPv6 address in brackets at the beginning of `text`: where it ends; 0: there is none.
std::size_t skip_bracketed(std::string_view text) noexcept {
  constexpr std::string_view letters = "0123456789abcdefABCDEF:.";
  const std::size_t end = text.find_first_not_of(letters, 1);
  const bool closed = end != std::string_view::npos && end > 1 && text[end] == ']';
  return closed ? end + 1 : 0;
}

/// What RFC 3986 lets a host be: a name or an address, or an IPv6 literal in brackets; a port.
bool is_authority(std::string_view text) noexcept {
  constexpr std::size_t most_digits = 5;
  const auto letter = [](char c) { return host_letters[static_cast<unsigned char>(c)]; };
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = skip_bracketed(text);
  } else {
    while (end < text.size() && letter(text[end])) ++end;
  }
  if (end == 0) return false;
  if (end == text.size()) return true;
  if (text[end] != ':' || text.size() - end - 1 > most_digits) return false;
  do ++end;
  while (end < text.size() && is_digit(text[end]));
  return end == text.size();
}

/// origin-form, absolute-form of http(s), or asterisk-form with OPTIONS.
bool is_target(std::string_view target, method how) noexcept {
  if (!all_in(target_letters, target)) return false;
  if (target.starts_with('/')) return true;
  if (target == "*") return how == method::options;
  const auto scheme = target.find("://");
  if (scheme == std::string_view::npos) return false;
  const auto name = target.substr(0, scheme);
  if (!equals_ignoring_case(name, "http") && !equals_ignoring_case(name, "https")) return false;
  const auto rest = target.substr(scheme + 3);
  return is_authority(rest.substr(0, rest.find_first_of("/?")));
}

std::optional<refusal> read_request_line(std::string_view line, const head_limits& limits,
                                         head& into) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return bad("the request line is not METHOD TARGET VERSION");
  const auto name = line.substr(0, first);
  const auto version = line.substr(second + 1);
  into.target = line.substr(first + 1, second - first - 1);

  const bool known = read_method(name, into.method);  // also for the answer to a refusal
  if (!known && !is_token(name)) return bad("the method is not a token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
        version[6] != '.' || !is_digit(version[7])) {
      return bad("the request line does not end with a version");
    }
    return refusal{status::version_not_supported, "use HTTP/1.1 or HTTP/1.0"};
  }
  into.http_1_1 = version[7] == '1';
  if (!known) {
    return refusal{status::not_implemented, "this method is not known here"};
  }
  if (into.method == method::connect) {
    return refusal{status::method_not_allowed, "this server is not a proxy"};
  }
  if (into.target.size() > limits.target) {
    return refusal{status::uri_too_long, "the request target is too long"};
  }
  if (!is_target(into.target, into.method)) return bad("the request target is malformed");
  return std::nullopt;
}

// ── the fields ──

/// What the fields that decide over framing have said so far.
struct framing {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  bool close = false;
  bool keep_alive = false;
};

std::optional<refusal> read_length(std::string_view value, head& into) {
  if (value.empty() || !std::ranges::all_of(value, is_digit)) {
    return bad("Content-Length is not a number");
  }
  if (value.size() > 1 && value[0] == '0') return bad("Content-Length begins with a zero");
  const char* const end = value.data() + value.size();
  if (std::from_chars(value.data(), end, into.content_length).ec != std::errc{}) {
    return refusal{status::content_too_large, "Content-Length is beyond counting"};
  }
  return std::nullopt;
}

std::optional<refusal> read_field(std::string_view name, std::string_view value, head& into,
                                  framing& seen) {
  switch (name.size()) {
    case 4:
      if (!equals_ignoring_case(name, "host")) break;
      if (++seen.hosts > 1) return bad("there is more than one Host");
      if (!is_authority(value)) return bad("Host is empty or malformed");
      break;
    case 6:
      if (!equals_ignoring_case(name, "expect") || !into.http_1_1) break;
      if (!equals_ignoring_case(value, "100-continue")) {
        return refusal{status::expectation_failed,
                       "the only expectation known here is 100-continue"};
      }
      into.expects_continue = true;
      break;
    case 10:
      if (!equals_ignoring_case(name, "connection")) break;
      for_each_element(value, [&seen](std::string_view option) {
        seen.close = seen.close || equals_ignoring_case(option, "close");
        seen.keep_alive = seen.keep_alive || equals_ignoring_case(option, "keep-alive");
      });
      break;
    case 14:
      if (!equals_ignoring_case(name, "content-length")) break;
      if (++seen.lengths > 1) return bad("there is more than one Content-Length");
      return read_length(value, into);
    case 17:
      if (!equals_ignoring_case(name, "transfer-encoding")) break;
      if (++seen.encodings > 1) return bad("there is more than one Transfer-Encoding");
      if (!into.http_1_1) return bad("Transfer-Encoding is not part of HTTP/1.0");
      if (!equals_ignoring_case(value, "chunked")) {
        return refusal{status::not_implemented, "the only transfer coding known here is chunked"};
      }
      into.chunked = true;
      break;
    default: break;
  }
  return std::nullopt;
}

refusal no_name(std::string_view line) noexcept {
  return line.find(':') == std::string_view::npos
             ? bad("a header field has no colon")
             : bad("the name of a header field is not a token");
}

/// Calls with the name and value of each line, until one is refused.
template <class Call>
std::optional<refusal> for_each_field(std::string_view lines, Call&& call) {
  while (lines.size() > 2) {
    std::size_t colon = 0;
    while (is_token_letter(lines[colon])) ++colon;  // the line's CR is none
    const std::size_t end = lines.find('\r', colon);
    if (colon == 0 || lines[colon] != ':') return no_name(lines.substr(0, end));
    const auto value = trimmed(lines.substr(colon + 1, end - colon - 1));
    if (const auto refused = call(lines.substr(0, colon), value)) return refused;
    lines.remove_prefix(end + 2);
  }
  return std::nullopt;
}

/// llhttp, fed with the head and nothing else.
bool agrees(std::string_view block, const head& with) {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    return made;
  }();
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  const llhttp_errno_t outcome = llhttp_execute(&parser, block.data(), block.size());
  if (outcome != HPE_OK && outcome != HPE_PAUSED_UPGRADE) return false;
  const bool chunked = (parser.flags & F_CHUNKED) != 0;
  return chunked == with.chunked && (chunked || parser.content_length == with.content_length) &&
         (parser.http_minor == 1) == with.http_1_1;
}

}  // namespace

std::optional<refusal> read_head(std::string_view block, const head_limits& limits, head& into) {
  const auto line = block.substr(0, block.find('\r'));
  if (const auto refused = read_request_line(line, limits, into)) return refused;
  into.block = block;
  into.fields = block.substr(line.size() + 2, block.size() - line.size() - 4);

  framing seen;
  const auto refused =
      for_each_field(into.fields, [&](std::string_view name, std::string_view value) {
        return read_field(name, value, into, seen);
      });
  if (refused) return refused;
  if (seen.hosts == 0 && into.http_1_1) return bad("there is no Host");
  if (seen.lengths + seen.encodings > 1) return bad("both Content-Length and Transfer-Encoding");
  into.keep_alive = !seen.close && (into.http_1_1 || seen.keep_alive);
  // Without a word about its framing a request has no body in anybody's reading.
  const bool framed = seen.lengths + seen.encodings > 0;
  if (framed && !agrees(block, into)) return bad("the request can be read in two ways");
  return std::nullopt;
}

std::optional<refusal> check_trailers(std::string_view block) {
  return for_each_field(
      block, [](std::string_view name, std::string_view) -> std::optional<refusal> {
        for (const std::string_view decided : {"content-length", "host", "transfer-encoding"}) {
          if (equals_ignoring_case(name, decided))
            return bad("a trailer changes what the head has said");
        }
        return std::nullopt;
      });
}

}  // namespace dwell::http
