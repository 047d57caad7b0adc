#pragma once

#include "plan.hpp"
#include "ports.hpp"

#include <string>
#include <vector>

namespace load {

/// What a look at the machine before a run found.
struct preflight {
  std::vector<std::string> flags;  ///< makes the run's figures doubtful
  std::vector<std::string> notes;  ///< to be borne in mind with them
  port_limits ports;
};

/// What the kernel says about the way to the server. A value, so that judging it needs no machine.
struct machine_facts {
  std::uint64_t time_waits_there = 0;  ///< towards the server, left over from before
  std::uint64_t ports = 0;             ///< in the range, times the source addresses
  std::uint64_t descriptors = 0;       ///< RLIMIT_NOFILE, what is open taken off
  std::uint64_t time_wait_limit = 0;   ///< net.ipv4.tcp_max_tw_buckets; 0: not known
  int tw_reuse = 0;                    ///< net.ipv4.tcp_tw_reuse
  bool loopback = false;               ///< the server is in the client's network
  bool same_processor = false;         ///< client and server have one, and the same
};

/// For the calling thread's network.
machine_facts look(const plan& of);
/// Pure.
preflight examine(const plan& of, const machine_facts& facts);

}  // namespace load
