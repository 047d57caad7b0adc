#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace dwell::http {

/// Letters of a token (RFC 9110, 5.6.2): names of methods and fields.
inline constexpr auto token_letters = [] {
  std::array<bool, 256> is{};
  for (const char c : std::string_view{"!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}) {
    is[static_cast<unsigned char>(c)] = true;
  }
  return is;
}();

constexpr bool is_token_letter(char c) noexcept {
  return token_letters[static_cast<unsigned char>(c)];
}

constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_letter);
}

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `lower` is in small letters.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  const auto same = [](char c, char small) { return c == small || to_lower(c) == small; };
  return std::ranges::equal(text, lower, same);
}

constexpr bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

/// Without spaces and tabs around it.
constexpr std::string_view trimmed(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Calls with each element of a comma-separated list that is not empty.
template <class Call>
constexpr void for_each_element(std::string_view list, Call&& call) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (const auto element = trimmed(list.substr(0, end)); !element.empty()) call(element);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

}  // namespace dwell::http
