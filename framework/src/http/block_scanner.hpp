#pragma once

#include "http/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::http {

/// Bytes and lines that a request may use before its body.
struct head_limits {
  std::size_t size = std::size_t{16} * 1024;   ///< of the head; and of trailers
  std::size_t target = std::size_t{8} * 1024;  ///< of the request target
  std::size_t fields = 100;
};

/// Finds the end of a block of lines (a request's head, or trailers) and refuses what has made
/// parsers disagree: CR without LF, LF without CR, control bytes, lines that begin with white
/// space; and more than the limits. Incremental: a byte is looked at once, and the verdict is that
/// about the first offending byte, however the block is split.
class block_scanner {
 public:
  enum class kind : std::uint8_t { head, trailers };
  struct verdict {
    std::size_t size = 0;  ///< of the whole block with its empty line; 0: not whole yet
    std::optional<refusal> refused;
  };

  explicit block_scanner(kind what) noexcept : lines_{what == kind::head ? 0U : 1U} {}

  /// `input`: the block from its first byte, as far as it has come.
  verdict scan(std::string_view input, const head_limits& limits) noexcept;

 private:
  std::uint32_t scanned_ = 0;
  std::uint32_t line_ = 0;   // where the current one begins
  std::uint32_t lines_ = 0;  // before it; a request line counts one in trailers too
};

}  // namespace dwell::http
