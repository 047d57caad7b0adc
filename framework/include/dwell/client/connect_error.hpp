#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// Why there is no connection.
enum class connect_failure : std::uint8_t {
  none,
  name_not_found,      ///< the resolver knows no address of that name, or does not answer
  refused,             ///< nobody listens there (ECONNREFUSED)
  unreachable,         ///< no way there (EHOSTUNREACH, ENETUNREACH)
  timed_out,           ///< no answer within connect_options::connect, or the kernel gave up
  out_of_ports,        ///< no local port is free for that destination (EADDRNOTAVAIL)
  out_of_descriptors,  ///< RLIMIT_NOFILE, or the system's (EMFILE, ENFILE)
  no_such_source,      ///< no interface has an address of connect_options::source
  over_limit,          ///< the server's or client's `connections` are open
  ended,               ///< whoever waited has ended: its connection, or the loop
  other,               ///< `code` says what
  not_trusted,         ///< connect_options::tls: its certificate does not verify
  handshake_failed,    ///< connect_options::tls: it did not finish, in time or at all
};

inline constexpr std::size_t connect_failure_count = 13;

constexpr std::string_view to_string(connect_failure what) noexcept {
  constexpr std::string_view names[connect_failure_count] = {
      "none",         "name_not_found",     "refused",         "unreachable", "timed_out",
      "out_of_ports", "out_of_descriptors", "no_such_source",  "over_limit",  "ended",
      "other",        "not_trusted",        "handshake_failed"};
  return names[static_cast<std::size_t>(what)];
}

/// Why there is no connection; a plain value. Where several addresses or sources were tried, of the
/// last of them.
struct connect_error {
  connect_failure what = connect_failure::none;
  int code = 0;               ///< errno where the kernel said so, otherwise 0
  std::string_view detail{};  ///< of TLS: what OpenSSL says is wrong; valid for ever

  friend bool operator==(const connect_error&, const connect_error&) = default;
};

/// What went wrong, and what to do about it, for people. Allocates.
std::string to_string(const connect_error& error);

}  // namespace dwell::inline v0
