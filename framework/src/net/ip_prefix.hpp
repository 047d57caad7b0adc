#pragma once

#include "net/socket_address.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dwell::inline v0 {

/// An IP address as 128 bits, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2): a client of a dual-stack
/// listener is the same as of an IPv4 one.
struct ip_address {
  std::array<std::uint8_t, 16> bytes{};

  /// Nothing for what has none: a Unix socket.
  static std::optional<ip_address> of(const socket_address& peer) noexcept;
  bool is_v4() const noexcept;
  /// Its first bits, the rest 0; for IPv4 counted within its 32.
  ip_address prefix(unsigned v4_bits, unsigned v6_bits) const noexcept;
  friend bool operator==(const ip_address&, const ip_address&) = default;
};

/// Addresses and networks, and perhaps the peers of Unix sockets.
class address_set {
 public:
  /// What proxy_protocol_options::from says. Throws std::invalid_argument naming the text and what
  /// was expected.
  explicit address_set(const std::vector<std::string>& members);
  bool contains(const socket_address& peer) const noexcept;

 private:
  struct network {
    ip_address address;
    unsigned bits;  // IPv4: within its 32
  };
  static network parse(const std::string& text);
  std::vector<network> networks_;
  bool unix_ = false;
};

}  // namespace dwell::inline v0
