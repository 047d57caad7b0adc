#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dwell::http {

/// Value of a hexadecimal digit; -1: it is none.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Whether each '%' is followed by two hexadecimal digits (RFC 3986, 2.1).
bool is_percent_encoded(std::string_view text) noexcept;

/// Appends `text` decoded; what is not valid stays as it is.
void append_decoded(std::string& to, std::string_view text);

}  // namespace dwell::http
