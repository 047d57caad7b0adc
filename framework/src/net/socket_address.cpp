#include "net/socket_address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/un.h>

namespace dwell::inline v0 {
namespace {

constexpr std::string_view unix_prefix = "unix:";

std::string text_of(int family, const void* address) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, address, text, sizeof text);
  return text;
}

// sockaddr_storage is a family of structs that share a header; memcpy is the reading of it that C++
// defines.
template <class Address>
Address read_as(const sockaddr_storage& raw) noexcept {
  Address address;
  std::memcpy(&address, &raw, sizeof address);
  return address;
}

template <class Address>
raw_address make_raw(const Address& address, std::size_t length = sizeof(Address)) noexcept {
  raw_address raw;
  std::memcpy(&raw.storage, &address, sizeof address);
  raw.length = static_cast<socklen_t>(length);
  return raw;
}

raw_address unix_address(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw std::invalid_argument{"unix:" + std::string{path} +
                                ": a path of 1 to 107 bytes was expected"};
  }
  std::ranges::copy(path, address.sun_path);
  return make_raw(address, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

}  // namespace

socket_address socket_address::from(const sockaddr_storage& raw) noexcept {
  socket_address result;
  result.family_ = raw.ss_family;
  if (raw.ss_family == AF_INET) {
    const auto address = read_as<sockaddr_in>(raw);
    std::memcpy(result.bytes_.data(), &address.sin_addr, sizeof address.sin_addr);
    result.port_ = ntohs(address.sin_port);
  } else if (raw.ss_family == AF_INET6) {
    const auto address = read_as<sockaddr_in6>(raw);
    std::memcpy(result.bytes_.data(), &address.sin6_addr, sizeof address.sin6_addr);
    result.port_ = ntohs(address.sin6_port);
    result.scope_ = address.sin6_scope_id;
  }
  return result;
}

endpoint socket_address::to_endpoint() const {
  switch (family_) {
    case AF_INET: return {text_of(AF_INET, bytes_.data()), port_};
    case AF_INET6: {
      in6_addr address;
      std::memcpy(&address, bytes_.data(), sizeof address);
      // A dual-stack listener shows IPv4 peers as ::ffff:a.b.c.d; they are what they were.
      if (IN6_IS_ADDR_V4MAPPED(&address)) return {text_of(AF_INET, &address.s6_addr[12]), port_};
      std::string text = text_of(AF_INET6, &address);
      if (scope_ != 0) text += '%' + std::to_string(scope_);
      return {text, port_};
    }
    case AF_UNIX: return {std::string{unix_prefix}, 0};
    default: return {};
  }
}

endpoint to_endpoint(const sockaddr_storage& raw, socklen_t length) {
  if (raw.ss_family != AF_UNIX) return socket_address::from(raw).to_endpoint();
  const auto address = read_as<sockaddr_un>(raw);
  const std::size_t room =
      length > offsetof(sockaddr_un, sun_path) ? length - offsetof(sockaddr_un, sun_path) : 0;
  return {std::string{unix_prefix}.append(address.sun_path, ::strnlen(address.sun_path, room)), 0};
}

raw_address to_raw_address(const endpoint& where) {
  if (where.is_unix())
    return unix_address(std::string_view{where.address}.substr(unix_prefix.size()));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(where.port);
  if (::inet_pton(AF_INET, where.address.c_str(), &v4.sin_addr) == 1) return make_raw(v4);

  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(where.port);
  const std::size_t percent = where.address.find('%');
  const std::string literal = where.address.substr(0, percent);
  if (where.address.empty()) {
    v6.sin6_addr = in6addr_any;
    return make_raw(v6);
  }
  if (::inet_pton(AF_INET6, literal.c_str(), &v6.sin6_addr) != 1) {
    throw std::invalid_argument{"listen address \"" + where.address +
                                "\": an IPv4 or IPv6 literal, unix:PATH, or nothing was expected"};
  }
  if (percent != std::string::npos) {
    v6.sin6_scope_id = ::if_nametoindex(where.address.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0) {
      throw std::invalid_argument{"listen address \"" + where.address +
                                  "\": no network interface has the name after %"};
    }
  }
  return make_raw(v6);
}

std::string to_string(const endpoint& where) {
  if (where.is_unix() || where.is_descriptor()) return where.address;
  const bool v6 = where.address.find(':') != std::string::npos;
  const std::string host = v6 ? '[' + where.address + ']' : where.address;
  return host + ':' + std::to_string(where.port);
}

int descriptor_of(const endpoint& where) {
  const std::string_view digits = std::string_view{where.address}.substr(3);
  int number = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number < 0) {
    throw std::invalid_argument{'"' + where.address +
                                "\": the number of a descriptor was expected after fd:"};
  }
  return number;
}

endpoint parse_endpoint(std::string_view text) {
  const auto refuse = [text](const char* expected) {
    return std::invalid_argument{'"' + std::string{text} + "\": " + expected};
  };
  if (text.starts_with(unix_prefix)) {
    endpoint where{std::string{text}, 0};
    static_cast<void>(to_raw_address(where));
    return where;
  }
  if (endpoint where{std::string{text}, 0}; where.is_descriptor()) {
    static_cast<void>(descriptor_of(where));
    return where;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos)
    throw refuse("ADDR:PORT, [ADDR]:PORT, unix:PATH or fd:NUMBER was expected");

  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    throw refuse("a port from 0 to 65535 was expected after the last colon");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    throw refuse("an IPv6 address is written in brackets: [::1]:80");
  }
  endpoint where{std::string{host}, port};
  static_cast<void>(to_raw_address(where));
  return where;
}

}  // namespace dwell::inline v0
