#include "admin/access.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace dwell::inline v0 {
namespace {

constexpr std::string_view scheme = "bearer";

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

void validate_token(std::string_view token) {
  if (std::ranges::all_of(token, is_visible)) return;
  throw std::invalid_argument{
      "admin_options.token: use visible ASCII characters only, without spaces: it is sent in a "
      "header field"};
}

}  // namespace dwell::inline v0
