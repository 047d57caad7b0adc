#pragma once

#include <dwell/closing/close_plan.hpp>
#include <dwell/closing/close_record.hpp>
#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>
#include <dwell/net/socket_options.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>

namespace dwell::inline v0 {

class connection;
class tls_client;

/// Where to connect to, how long that may take, and how the connection then stays and leaves: as an
/// accepted one does, with fields of the same name. Text is copied where the options are taken.
/// Each different set of the fields from `name` on is remembered until the loop ends; so do not
/// make up new ones for each connection.
struct connect_options {
  /// An IPv4 or IPv6 literal, `unix:` and a path, or a name, which is looked up each time
  /// (getaddrinfo(3), on a thread of Asio's).
  std::string_view host;
  /// 1 to 65,535. Not used with `unix:`.
  std::uint16_t port = 0;
  /// From the call to the connection, looking up the name included; `off`: as long as the kernel
  /// tries. Several addresses are tried one after the other, each for an equal part of what is left
  /// and 2 s at least. 10 s: room for two lost SYNs (1 and 3 s after the first: RFC 6298).
  duration connect = std::chrono::seconds{10};
  /// Local addresses, in turn for each loop: one, or `10.0.0.0/24` (the first and last of a network
  /// are left out). Empty: the kernel chooses. Each address has a port range of its own for each
  /// destination (IP_BIND_ADDRESS_NO_PORT): more addresses, more connections at the same time.
  std::string_view source;
  /// TCP_SYNCNT, 1 to 127: SYNs sent again before the kernel gives up on an address. nullopt:
  /// net.ipv4.tcp_syn_retries; `connect` is the shorter one then.
  std::optional<int> syn_retries;

  /// TLS, as this says; must outlive the connections made with it. There is a connection once the
  /// handshake is done, which deadlines.handshake bounds. Null: bytes as they are.
  tls_client* tls = nullptr;

  /// For logs and the list of connections.
  std::string_view name = "outbound";
  /// How long it stays. `idle` is also how long an answer may take. `lifetime` has to be `off`.
  dwell::deadlines deadlines{};
  /// How it leaves. Whose FIN is first keeps the port for 60 s, here out of one port range for each
  /// destination: see docs/client.md.
  close_plan close{};
  /// What it may use. `exchanges` does not apply.
  dwell::limits limits{};
  /// What is set on its socket; what is a listener's does not apply. `nodelay` and the user timeout
  /// are a system call each, which accepted connections inherit for nothing.
  socket_options socket{};
  /// Sees the close record, on the connection's loop; must not throw, and must live as long as the
  /// loop. Null: nobody.
  const std::function<void(const connection&, const close_record&)>* on_close = nullptr;
};

// GCC 12 destroys twice what is built with braces in a co_await expression: nothing may come of it.
static_assert(std::is_trivially_destructible_v<connect_options>);

}  // namespace dwell::inline v0
