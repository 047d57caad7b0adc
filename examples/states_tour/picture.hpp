#pragma once

#include "scenes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Columns between the two ends of a ladder.
inline constexpr std::size_t wire_width = 42;

/// Columns on the screen: one for each character that UTF-8 begins.
std::size_t width(std::string_view text) noexcept;
/// With blanks up to that width, behind or in front.
std::string padded(std::string_view text, std::size_t to);
std::string right(std::string_view text, std::size_t to);

enum class look : std::uint8_t { title, quiet, moved, segment };

/// How things look on a terminal, or in a plain file.
class painter {
 public:
  painter(bool colours, bool unicode) noexcept : colours_{colours}, unicode_{unicode} {}

  std::string operator()(look as, std::string_view text) const;
  /// What happens between the two ends: a call and its segment as that leaves, or the whole way of
  /// a segment that arrives.
  std::string wire(const step& one, server_kind server) const;

 private:
  std::string of_call(const step& one, server_kind server) const;
  std::string of_arrival(const step& one) const;
  std::string line(std::size_t length) const;
  std::string_view to_right() const noexcept { return unicode_ ? "▶" : ">"; }
  std::string_view to_left() const noexcept { return unicode_ ? "◀" : "<"; }

  bool colours_;
  bool unicode_;
};
