#pragma once

#include <dwell/http/request.hpp>
#include <dwell/http/response.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dwell::http {

/// What proves that the server has understood: Sec-WebSocket-Accept for a key (RFC 6455, 4.2.2).
std::string websocket_accept(std::string_view key);

/// Base64 of 16 bytes, in the one way to write them.
bool is_websocket_key(std::string_view text) noexcept;

/// Whether the page that `origin` names was served by `host`, as far as both say. The port of a
/// scheme's default may be left out.
bool is_same_origin(std::string_view origin, std::string_view host) noexcept;

/// What a client that opens a WebSocket is told, or why it is not let in.
struct websocket_handshake {
  std::optional<response> refused;
  std::string_view key;       // of the request
  std::string_view protocol;  // of `protocols`; empty: none was offered that is known
};

/// The client's opening handshake (RFC 6455, 4.2.1). `origins`: of pages that may connect besides
/// those of the same host; "*": all.
websocket_handshake check_websocket_handshake(const request& asked,
                                              std::span<const std::string> protocols,
                                              std::span<const std::string> origins);

}  // namespace dwell::http
