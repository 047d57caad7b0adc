#pragma once

#include <dwell/net/endpoint.hpp>

#include <optional>
#include <string_view>

namespace dwell::inline v0 {

/// A peer on this machine: 127.0.0.0/8, ::1, or a Unix socket.
bool is_local(const endpoint& peer) noexcept;

/// Whether `given` is `expected`, in a time that does not tell how much of it is right.
bool equal_in_constant_time(std::string_view given, std::string_view expected) noexcept;

/// The token of `Authorization: Bearer <token>` (RFC 6750, 2.1); nullopt: it is something else.
std::optional<std::string_view> bearer_token(std::string_view authorization) noexcept;

/// Throws std::invalid_argument when a client could not send it.
void validate_token(std::string_view token);

}  // namespace dwell::inline v0
