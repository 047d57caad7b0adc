#pragma once

#include <dwell/net/endpoint.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace load {

using nanoseconds = std::chrono::nanoseconds;

enum class protocol : std::uint8_t { echo, http };

/// When requests are due.
enum class arrival : std::uint8_t {
  poisson,  ///< open loop: independent of one another, as many users are
  even,     ///< open loop: one every 1/rate
  closed,   ///< closed loop: the next one when the one before is answered. Hides what a stall costs
};

/// Who ends a connection once its requests are answered, and how.
enum class ending : std::uint8_t {
  client,                  ///< our FIN first: TIME_WAIT here
  client_abort,            ///< our RST: TIME_WAIT nowhere
  server,                  ///< we wait for its FIN: TIME_WAIT there
  server_abort_after_fin,  ///< the same; an own server leaves none
  server_abort,            ///< its RST counts as the end; only of an own server
};

/// Whether connections speak TLS, and what their handshakes are.
enum class security : std::uint8_t {
  none,
  full,     ///< each signs and verifies anew
  resumed,  ///< all but the first of a thread, where the server gives tickets
};

/// One run: what load is put on which server.
struct plan {
  load::protocol protocol = load::protocol::echo;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path = "/";  ///< HTTP
  load::security tls = security::none;
  bool tls_verify = false;  ///< whether the server's certificate has to be trusted
  std::string source;       ///< client addresses, as connect_options::source

  /// Requests of a connection; 0: as long as the run lasts (long), 1: short.
  std::uint64_t requests_per_connection = 0;
  load::ending ending = load::ending::client;
  std::size_t size = 64;  ///< bytes of an echo request; of the own HTTP server's body

  load::arrival arrival = load::arrival::poisson;
  double rate = 1'000;  ///< requests a second, all threads together; closed loop: not used
  std::uint32_t connections = 100;  ///< long: open; short: at most so many at a time
  std::uint32_t threads = 1;
  nanoseconds warmup = std::chrono::seconds{1};  ///< not measured
  nanoseconds duration = std::chrono::seconds{10};
  nanoseconds timeout = std::chrono::seconds{5};  ///< of a request, from its intended time

  std::uint64_t seed = 1;  ///< of the arrivals
  /// Its CPU time is sampled, and what its kernel says in its network namespace.
  std::optional<pid_t> server;
};

// Names as on the command line and in JSON: "poisson", "client-abort", ….
std::string_view to_string(protocol value) noexcept;
std::string_view to_string(arrival value) noexcept;
std::string_view to_string(ending value) noexcept;
std::string_view to_string(security value) noexcept;
// False, and `into` as it was, for a name that is none.
bool parse(std::string_view name, protocol& into) noexcept;
bool parse(std::string_view name, arrival& into) noexcept;
bool parse(std::string_view name, ending& into) noexcept;
bool parse(std::string_view name, security& into) noexcept;

/// `http://10.0.0.2:80/path`, `echo://[::1]:7777`.
std::string target_of(const plan& of);
/// The other way round: protocol, host, port and path. Throws std::invalid_argument, which says
/// what is wrong with `url` and how to write it; `of` is then as it was.
void set_target(plan& of, std::string_view url);
/// Whether connections are kept: requests_per_connection is 0.
inline bool is_long(const plan& of) noexcept { return of.requests_per_connection == 0; }

}  // namespace load
