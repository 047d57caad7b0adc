#pragma once
// The command line that the bare echo servers have in common.

#include "peer.hpp"

// What an echo server does besides echoing. In short mode it closes after `size` bytes, unless the
// client closes first.
struct echo_options {
  std::string listen;
  bool closes = false;
  std::uint64_t size = 64;
};

inline echo_options read_echo_options(int argc, char** argv, const std::string& what) {
  const std::string help = what + R"(

  --listen ADDR:PORT       default 127.0.0.1:0 (any free port); prints "listening on ADDR:PORT"
  --mode long|short        long: echo until the client's FIN; short: one exchange of --size bytes
  --size N                 bytes of an exchange in short mode (default 64)
  --close graceful|client  short mode: close() after the exchange, or wait for the client's FIN
)";
  const flags given{
      argc,
      argv,
      help.c_str(),
      {{"--listen", "127.0.0.1:0"}, {"--mode", "long"}, {"--size", "64"}, {"--close", "graceful"}}};
  const auto is_short = one_of<bool>(given, "--mode", {{"long", false}, {"short", true}});
  const auto first = one_of<bool>(given, "--close", {{"graceful", true}, {"client", false}});
  return {given.text("--listen"), is_short && first, given.number("--size")};
}
