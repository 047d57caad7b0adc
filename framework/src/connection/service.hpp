#pragma once

#include <dwell/connection/handler.hpp>
#include <dwell/connection/options.hpp>

#include "connection/service_counters.hpp"
#include "engine/stream_filter.hpp"
#include "net/ip_prefix.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace dwell::inline v0 {

class address_limits;
class loop;

/// A service as every loop sees it: read-only once the server runs.
struct service {
  std::uint32_t index;
  service_options options;
  handler what;
  address_limits* addresses = nullptr;  ///< null: none
  endpoint bound{};  ///< where it listens: options.listen with the port that was given
  /// What the listener's connections inherit (listener_options), so that a close need not ask for
  /// it.
  bool corked = false;
  bool no_time_wait = false;
  std::uint64_t exchanges = unlimited;      ///< 1 in short mode
  std::shared_ptr<filter_maker> filters{};  ///< null: none, what comes is what the handler sees
  std::optional<address_set> proxies{};     ///< who has to say whom it speaks for; null: nobody
  bool outbound = false;                    ///< its connections are our own doing
  bool awaited = false;                     ///< their handler is awaited_handler
  int inherited = -1;                       ///< the socket that listens was somebody else's

  /// Each loop accepts from a socket of its own (SO_REUSEPORT); else loop 0 deals them out.
  bool has_listener_each() const noexcept {
    return options.socket.reuse_port && !options.listen.is_unix() && inherited < 0;
  }
};

/// A service on one loop; what a connection points to for both.
struct hosted_service {
  hosted_service(loop& on, const service& what) noexcept : host{&on}, of{&what} {}
  loop* host;
  const service* of;
  service_counters counters;
  hosted_service* next = nullptr;  ///< of a loop's outbound ones
  std::uint32_t next_source = 0;   ///< of those that outbound connections take in turn
};

}  // namespace dwell::inline v0
