#pragma once

#include "support/raw_client.hpp"
#include "support/reap_sweep.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace dwell {

/// One client, and what became of it.
struct attempt {
  std::optional<raw_client> client;
  std::string address;                             // its own: ports come again
  std::chrono::steady_clock::time_point asked;     // the first request left
  std::chrono::steady_clock::time_point answered;  // and its answer was there
  std::chrono::steady_clock::time_point due;       // the second shall leave, but for the shift
  std::chrono::steady_clock::time_point sent;      // the second has left
  bool keeps_to_timeout = false;
  bool sent_in_stall = false;  // while the server was stopped
  int send_error = 0;
  std::size_t received = 0;
  bool got_answer = false;
  bool got_end = false;
  int error = 0;
};

/// Runs the clients of a sweep against the server, which is a child of this process, until each has
/// its answer or has seen the end.
std::vector<attempt> send_late(const reap_sweep& sweep, const endpoint& to, pid_t server);

}  // namespace dwell
