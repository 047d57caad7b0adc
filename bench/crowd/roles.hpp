#pragma once

#include <dwell/net/endpoint.hpp>

#include <chrono>
#include <cstdint>
#include <string>

// An echo server whose loops have descriptor tables of their own. Reports as JSON at SIGUSR1: turns
// and lateness are those since SIGUSR2.
struct serve_options {
  dwell::endpoint listen{.address = "127.0.0.1", .port = 0};
  int threads = 4;
  std::chrono::milliseconds idle{60'000};
};
int serve(const serve_options& options);

// So many clients of it, that say nothing until asked to, and one that works all the while. Events
// are lines of JSON; it goes on when it is told "go".
struct visit_options {
  dwell::endpoint to;
  std::uint64_t connections = 10'000;
  int threads = 4;
  int at_once = 16;  // on their way, for each loop
  std::chrono::milliseconds idle{60'000};
  double asked = 0.01;  // the share that sends something, once all are open
  std::string source = "127.1.0.0/24";
};
int visit(const visit_options& options);
