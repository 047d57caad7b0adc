#pragma once
#include "clock.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <sys/types.h>

// Connections that exchange one byte, or a GET and its reply, and then keep silent until the server
// closes them.
struct idle_options {
  std::string to;
  std::string get;  // HTTP: the path; empty: a byte that is echoed
  std::size_t connections = 15'000;
  nanoseconds spread = second / 2;  // the last bytes are sent evenly over this; 0: at once
  nanoseconds expect = 0;           // the server's idle deadline; 0: it has none
  nanoseconds hold = 0;             // leave by ourselves after so long; 0: wait for the server
  bool at_once = false;             // the server is stopped until all are due; needs `server`
  bool silent = false;              // send nothing: the deadline then counts from the accept
  bool ping = false;                // one more connection measures the server's worst stall
  nanoseconds tolerance = 2 * millisecond;  // closed less than this too soon is not early
  pid_t server = 0;                         // its CPU time while reaping is reported too
};

nlohmann::ordered_json run_idle(const idle_options& options);
