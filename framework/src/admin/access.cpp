#include "admin/access.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace dwell::inline v0 {
namespace {

constexpr std::string_view scheme = "bearer";
constexpr std::string_view localhost = "localhost";

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_visible(char c) noexcept { return c > ' ' && c < '\x7f'; }

}  // namespace

bool is_local(const endpoint& peer) noexcept {
  return peer.is_unix() || peer.address.starts_with("127.") || peer.address == "::1";
}

bool equal_in_constant_time(std::string_view given, std::string_view expected) noexcept {
  // Not ended early, and volatile, so that no compiler may end it early either.
  volatile unsigned char different = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char with = expected.empty() ? '\0' : expected[i % expected.size()];
    different = static_cast<unsigned char>(different | (given[i] ^ with));
  }
  return different == 0;
}

std::optional<std::string_view> bearer_token(std::string_view authorization) noexcept {
  const std::string_view name = authorization.substr(0, scheme.size());
  const auto same = [](char a, char b) { return lower(a) == b; };
  if (!std::ranges::equal(name, scheme, same)) return std::nullopt;
  const std::string_view rest = authorization.substr(scheme.size());
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == 0 || begin == std::string_view::npos) return std::nullopt;
  return rest.substr(begin);
}

bool is_address_or_localhost(std::string_view host) {
  const auto parses = [](int family, std::string_view text) {
    in6_addr parsed{};
    return ::inet_pton(family, std::string{text}.c_str(), &parsed) == 1;
  };
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end != std::string_view::npos && parses(AF_INET6, host.substr(1, end - 1)) &&
           (end + 1 == host.size() || host[end + 1] == ':');
  }
  const std::string_view name = host.substr(0, host.find(':'));
  const auto same = [](char a, char b) { return lower(a) == b; };
  return parses(AF_INET, name) || std::ranges::equal(name, localhost, same);
}

authority authority_of(const claims& who, std::string_view token, std::string_view page_secret) {
  if (!token.empty()) {
    const auto given = bearer_token(who.authorization.value_or(""));
    if (given && equal_in_constant_time(*given, token)) return authority::token;
  }
  // A proxy here passes on the requests of others, and a page in a browser here may be anybody's.
  if (!who.local || who.forwarded) return authority::none;
  if (!who.origin) return authority::this_machine;
  const std::string own = std::string{"http://"}.append(who.host);
  const bool is_ours = *who.origin == own && is_address_or_localhost(who.host) && who.page &&
                       equal_in_constant_time(*who.page, page_secret);
  return is_ours ? authority::page : authority::none;
}

std::string make_secret() {
  std::array<unsigned char, 16> random{};
  if (::getentropy(random.data(), random.size()) != 0) {
    throw std::system_error{errno, std::generic_category(), "getentropy"};
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  for (const unsigned char each : random) {
    made += digits[each >> 4U];
    made += digits[each & 15U];
  }
  return made;
}

void validate_token(std::string_view token) {
  if (std::ranges::all_of(token, is_visible)) return;
  throw std::invalid_argument{
      "admin_options.token: use visible ASCII characters only, without spaces: it is sent in a "
      "header field"};
}

}  // namespace dwell::inline v0
