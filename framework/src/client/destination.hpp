#pragma once

#include <dwell/client/connect_options.hpp>
#include <dwell/connection/handler.hpp>

#include "client/source_pool.hpp"
#include "connection/service.hpp"
#include "net/outgoing.hpp"
#include "net/socket_address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dwell::inline v0 {

class client_contexts;

/// What connect_options say about the way there; checked, and with texts of its own.
struct route {
  /// Throws std::invalid_argument, naming the field.
  explicit route(const connect_options& to);

  std::string host;
  std::uint16_t port;
  duration connect;
  source_pool source;
  std::optional<int> syn_retries;
  client_contexts* tls;  ///< null: none
  /// Of a literal; empty: `host` is a name.
  std::vector<raw_address> addresses;
};

/// What they say about the connection, and what holds for every service. Throws the same.
service_options to_service_options(const connect_options& to);

/// A route, and the service of all connections that take it.
class destination {
 public:
  destination(const connect_options& to, handler what);

  route way;
  service what;
};

}  // namespace dwell::inline v0
