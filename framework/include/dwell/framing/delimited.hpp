#pragma once

#include <dwell/framing/codec.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace dwell::inline v0 {

/// A codec for dwell::framed: each message ends with a delimiter, by default a line feed, which the
/// user does not get to see. A message that contains the delimiter would be two, and is not sent.
class delimited {
 public:
  /// One byte or more; else throws std::invalid_argument.
  explicit delimited(std::string delimiter = "\n") : delimiter_{std::move(delimiter)} {
    if (delimiter_.empty()) {
      throw std::invalid_argument{"delimited: the delimiter is empty; give at least one byte"};
    }
  }

  std::optional<frame> find(bytes input, std::size_t seen) const noexcept {
    // It may have begun in what was seen.
    const std::size_t from = seen < delimiter_.size() ? 0 : seen - (delimiter_.size() - 1);
    const std::size_t found = input.text().find(delimiter_, from);
    if (found == std::string_view::npos) return frame{.size = input.size() + 1};
    return frame{.size = found + delimiter_.size(), .begin = 0, .length = found};
  }

  bool send(connection& peer, bytes message) const noexcept {
    if (message.text().find(delimiter_) != std::string_view::npos) return false;
    peer.send(message);
    peer.send(delimiter_);
    return true;
  }

 private:
  std::string delimiter_;
};

}  // namespace dwell::inline v0
