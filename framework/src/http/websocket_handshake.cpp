#include "http/websocket_handshake.hpp"

#include "http/text.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace dwell::http {
namespace {

/// RFC 6455, 1.3.
constexpr std::string_view key_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

constexpr bool is_base64_letter(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) || c == '+' || c == '/';
}

/// Whether some field of that name lists `what`, which is in small letters.
bool lists(const request& in, std::string_view name, std::string_view what) noexcept {
  bool found = false;
  for (const field& each : in.headers()) {
    if (!equals_ignoring_case(each.name, name)) continue;
    for_each_element(each.value, [&](std::string_view element) {
      found = found || equals_ignoring_case(element, what);
    });
  }
  return found;
}

/// The field's value when there is exactly one.
std::optional<std::string_view> only(const request& in, std::string_view name) noexcept {
  std::optional<std::string_view> found;
  for (const field& each : in.headers()) {
    if (!equals_ignoring_case(each.name, name)) continue;
    if (found) return std::nullopt;
    found = each.value;
  }
  return found;
}

response refusal_of(http::status code, std::string_view why) {
  response made{.status = code};
  made.body.append(why) += '\n';
  return made;
}

response upgrade_required(std::string_view why) {
  response made = refusal_of(status::upgrade_required, why);
  made.headers.push_back({"Upgrade", "websocket"});
  made.headers.push_back({"Sec-WebSocket-Version", "13"});
  return made;
}

std::optional<response> check_origin(const request& asked, std::span<const std::string> origins) {
  const auto origin = asked.header("origin");
  if (!origin) return std::nullopt;  // no browser, which could be made to do another page's bidding
  if (is_same_origin(*origin, asked.header("host").value_or(""))) return std::nullopt;
  const auto allowed = [&](std::string_view each) {
    return each == "*" || same_ignoring_case(each, *origin);
  };
  if (std::ranges::any_of(origins, allowed)) return std::nullopt;
  return refusal_of(status::forbidden, "pages of this origin may not connect");
}

std::string_view choose_protocol(const request& asked, std::span<const std::string> known) {
  std::string_view chosen;
  for (const field& each : asked.headers()) {
    if (!equals_ignoring_case(each.name, "sec-websocket-protocol")) continue;
    for_each_element(each.value, [&](std::string_view offered) {
      const auto found = std::ranges::find(known, offered);
      if (chosen.empty() && found != known.end()) chosen = *found;
    });
  }
  return chosen;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  std::string whole;
  whole.append(key).append(key_suffix);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(whole.data(), whole.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> text{};
  const int length = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  return {text.begin(), text.begin() + length};
}

bool is_websocket_key(std::string_view text) noexcept {
  constexpr std::string_view last_letters = "AQgw";  // four of its bits are not used
  return text.size() == 24 && text.ends_with("==") &&
         std::ranges::all_of(text.substr(0, 22), is_base64_letter) &&
         last_letters.find(text[21]) != std::string_view::npos;
}

bool is_same_origin(std::string_view origin, std::string_view host) noexcept {
  const auto scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return false;  // "null"
  const std::string_view port = equals_ignoring_case(origin.substr(0, scheme_end), "https") ? ":443"
                                : equals_ignoring_case(origin.substr(0, scheme_end), "http") ? ":80"
                                                                                             : "";
  const auto without_port = [port](std::string_view authority) {
    if (!port.empty() && authority.ends_with(port)) authority.remove_suffix(port.size());
    return authority;
  };
  return same_ignoring_case(without_port(origin.substr(scheme_end + 3)), without_port(host));
}

websocket_handshake check_websocket_handshake(const request& asked,
                                              std::span<const std::string> protocols,
                                              std::span<const std::string> origins) {
  const auto refuse = [](response said) { return websocket_handshake{.refused = std::move(said)}; };
  if (asked.method() != method::get) {
    response said = refusal_of(status::method_not_allowed, "use GET");
    said.headers.push_back({"Allow", "GET"});
    return refuse(std::move(said));
  }
  if (!asked.is_http_1_1() || !lists(asked, "connection", "upgrade") ||
      !lists(asked, "upgrade", "websocket")) {
    return refuse(upgrade_required("this is a WebSocket: connect with ws:// or wss://"));
  }
  if (only(asked, "sec-websocket-version") != "13") {
    return refuse(upgrade_required("use version 13 of the WebSocket protocol"));
  }
  const auto key = only(asked, "sec-websocket-key");
  if (!key || !is_websocket_key(*key)) {
    return refuse(refusal_of(status::bad_request, "Sec-WebSocket-Key is not that of 16 bytes"));
  }
  if (auto said = check_origin(asked, origins)) return refuse(std::move(*said));
  return {.refused = std::nullopt, .key = *key, .protocol = choose_protocol(asked, protocols)};
}

}  // namespace dwell::http
