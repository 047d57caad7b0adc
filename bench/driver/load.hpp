#pragma once
#include "clock.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

// Exchanges with an echo or an HTTP server: many over each connection (long), or one (short).
struct load_options {
  bool one_exchange = false;
  std::vector<std::string> targets;  // taken in turn by new connections
  std::size_t connections = 100;     // long: open; short: at most so many in flight
  double rate = 0;                   // exchanges per second, open loop; 0: closed loop
  std::string get;  // HTTP: the path; short: with `Connection: close`. Empty: bytes to be echoed
  std::size_t request_size = 64;
  std::size_t reply_size = 0;  // 0: as the request, and its bytes are compared
  // short: at the last byte of the reply, else at EOF. long: at the end of the run, else the
  // connections are left idle until the server closes them.
  bool client_closes = false;
  bool ack_with_data = false;  // short: request and the handshake's last ACK in one segment
  nanoseconds warmup = second / 2;
  nanoseconds duration = 3 * second;
  nanoseconds timeout = 5 * second;  // of one exchange
  std::uint64_t count = 0;           // stop after so many exchanges, no warm-up; 0: by duration
  pid_t server = 0;                  // its CPU time is reported too
};

nlohmann::ordered_json run_load(const load_options& options);
