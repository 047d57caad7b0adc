#pragma once

#include <dwell/net/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// A peer on this machine: 127.0.0.0/8, ::1, or a Unix socket.
bool is_local(const endpoint& peer) noexcept;

/// Whether `given` is `expected`, in a time that does not tell how much of it is right.
bool equal_in_constant_time(std::string_view given, std::string_view expected) noexcept;

/// The token of `Authorization: Bearer <token>` (RFC 6750, 2.1); nullopt: it is something else.
std::optional<std::string_view> bearer_token(std::string_view authorization) noexcept;

/// Whether `host`, as a Host field has it, is an address or localhost: what no name server says. A
/// foreign page can have its own name resolved to this machine, and then is of the admin's origin.
bool is_address_or_localhost(std::string_view host);

/// What may be the reason to let a client change something.
enum class authority : std::uint8_t {
  none,
  this_machine,
  page,  ///< the admin's own, in a browser on this machine
  token,
};

constexpr std::string_view to_string(authority by) noexcept {
  constexpr std::string_view names[] = {"nobody", "this machine", "the page", "the token"};
  return names[static_cast<std::size_t>(by)];
}

/// What a request says about who sends it. Fields that are not there: nullopt.
struct claims {
  bool local = false;      ///< its peer is on this machine
  bool forwarded = false;  ///< Forwarded or X-Forwarded-For
  std::optional<std::string_view> authorization{};
  std::optional<std::string_view> origin{};
  std::string_view host{};
  std::optional<std::string_view> page{};  ///< Dwell-Page: the secret that the page carries
};

/// `token` may be empty: then there is none. See docs/decisions/page-and-origin.md.
authority authority_of(const claims& who, std::string_view token, std::string_view page_secret);

/// 32 hexadecimal digits that nobody can guess. Throws std::system_error.
std::string make_secret();

/// Throws std::invalid_argument when a client could not send it.
void validate_token(std::string_view token);

}  // namespace dwell::inline v0
