#pragma once

#include <dwell/net/endpoint.hpp>

#include <array>
#include <cstdint>
#include <sys/socket.h>

namespace dwell::inline v0 {

/// A peer's address in 24 bytes, where sockaddr_storage takes 128: kept in every connection.
class socket_address {
 public:
  socket_address() noexcept = default;
  /// Reads AF_INET, AF_INET6 and AF_UNIX; the path of the latter is not kept.
  static socket_address from(const sockaddr_storage& raw) noexcept;
  endpoint to_endpoint() const;
  /// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC where there is none.
  int family() const noexcept { return family_; }
  /// In network byte order; of an IPv4 address the first four count.
  const std::array<std::uint8_t, 16>& raw() const noexcept { return bytes_; }

 private:
  std::array<std::uint8_t, 16> bytes_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  std::uint16_t family_ = AF_UNSPEC;
};

static_assert(sizeof(socket_address) == 24);

/// A whole sockaddr for bind, connect and the like.
struct raw_address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const noexcept { return storage.ss_family; }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// The number in "fd:3". Throws std::invalid_argument when there is none.
int descriptor_of(const endpoint& where);
/// Throws std::invalid_argument naming the address and what was expected.
raw_address to_raw_address(const endpoint& where);
/// Reads AF_INET, AF_INET6 and AF_UNIX, the path included.
endpoint to_endpoint(const sockaddr_storage& raw, socklen_t length);

}  // namespace dwell::inline v0
