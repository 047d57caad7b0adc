#include "http/percent.hpp"

namespace dwell::http {
namespace {

/// What the three characters at `at` stand for; -1: they are not an encoding.
int decoded(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

bool is_percent_encoded(std::string_view text) noexcept {
  for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (decoded(text, at) < 0) return false;
  }
  return true;
}

void append_decoded(std::string& to, std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int value = text[at] == '%' ? decoded(text, at) : -1;
    to += value < 0 ? text[at] : static_cast<char>(value);
    if (value >= 0) at += 2;
  }
}

}  // namespace dwell::http
