#pragma once

#include <dwell/http/method.hpp>

#include "http/block_scanner.hpp"
#include "http/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::http {

/// What a request says before its body. Views of the block it was read from.
struct head {
  std::string_view block;  ///< all of it
  http::method method = method::get;
  std::string_view target;
  std::string_view fields;  ///< the lines after the request line, each with its CRLF
  std::uint64_t content_length = 0;
  bool http_1_1 = true;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// Reads the block that a block_scanner has found whole into `into`, refusing whatever two readers
/// could take in two ways (RFC 9112, 11.2); llhttp reads it as well, and must agree.
std::optional<refusal> read_head(std::string_view block, const head_limits& limits, head& into);

/// Trailers may not change what has been decided by the head.
std::optional<refusal> check_trailers(std::string_view block);

}  // namespace dwell::http
