#pragma once

#include "http/head.hpp"
#include "http/llhttp.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::http {

/// Reads the body that a head has announced, by length or in chunks (llhttp decodes these).
/// Incremental. Memory follows what has come, not what was announced.
class body_reader {
 public:
  /// A body takes `most` bytes at most, and what is between its bytes `limits.size`.
  body_reader(const head& of, std::uint64_t most, const head_limits& limits) noexcept;

  /// The announcement alone is too much.
  std::optional<refusal> refused() const noexcept { return refused_; }
  bool done() const noexcept { return state_ == state::done; }

  /// Appends to `body` what `input` brings. Returns how many bytes of it were used; the rest comes
  /// again with more, or is the next request's when done().
  std::size_t read(std::string_view input, std::string& body);

 private:
  enum class state : std::uint8_t { counted, chunks, trailers, done };
  struct chunk_events;

  std::size_t read_counted(std::string_view input, std::string& body);
  std::size_t read_chunks(std::string_view input, std::string& body);
  std::size_t read_trailers(std::string_view input);

  llhttp_t parser_;
  std::uint64_t left_;  // counted: bytes to come; chunks: bytes that the body may still take
  std::string* body_ = nullptr;
  const char* counted_to_ = nullptr;
  std::size_t between_ = 0;  // bytes since the last one of the body
  head_limits limits_;
  block_scanner trailers_{block_scanner::kind::trailers};
  std::optional<refusal> refused_;
  state state_;
};

}  // namespace dwell::http
