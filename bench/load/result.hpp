#pragma once

#include "histogram.hpp"
#include "plan.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace load {

// What a run found. In JSON the members have these names; times are in the unit of their name,
// a plan's in seconds ("warmup_s", "duration_s", "timeout_s"), absent optionals are null,
// histograms are {"count", "min_us", "mean_us", "max_us", "percentiles":
// [[0.5, us], …], "buckets": [[us, count], …]} with empty buckets left out.

/// CPU time since the sample before, or of the whole run.
struct cpu_time {
  double user_us = 0;
  double system_us = 0;
};

/// The sockets of the run on one end, by the kernel. States by their names as in `ss`: ESTAB,
/// SYN-SENT, TIME-WAIT, ….
struct end_sample {
  std::map<std::string, std::uint64_t> states;
  std::optional<cpu_time> cpu;
  std::optional<double> softirq_us;  ///< of the processors it may run on; others' work is in it
};

/// One second of a run.
struct second {
  double at_s = 0;  ///< its end, since the run began, warm-up included
  bool warmup = false;
  std::uint64_t due = 0;  ///< requests whose intended time was in it
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t connected = 0;
  double p50_us = 0;  ///< of those answered in it, from the intended time
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  std::uint64_t connections = 0;            ///< open, as the client counts them
  std::optional<std::uint64_t> ports_used;  ///< local ports taken, TIME-WAIT included
  end_sample client;
  std::optional<end_sample> server;  ///< nullopt: not known which process, or not ours to see
  std::optional<std::uint64_t> packets_sent, packets_received;  ///< of the client's interface
  std::optional<std::uint64_t> bytes_sent, bytes_received;
};

struct latencies {
  histogram request;     ///< from the intended time to the last byte; failed by timeout included
  histogram naive;       ///< from the moment it was sent: what a tool that waits would say
  histogram connect;     ///< from the intended time to the handshake's end
  histogram first_byte;  ///< from sending to the first byte of the answer
  histogram sent_late;   ///< from the intended time to when we got to it
};

/// Local ports for the one destination.
struct port_use {
  std::uint64_t available = 0;           ///< the range, times the source addresses
  std::uint64_t peak = 0;                ///< used at the same time, TIME-WAIT included
  std::optional<double> exhausted_at_s;  ///< the first error for want of a port
  /// From the first seconds' growth, TIME_WAIT's 60 s counted in; null: does not run out.
  std::optional<double> predicted_exhaustion_s;
};

struct run_result {
  load::plan plan;
  bool partial = false;   ///< interrupted
  double measured_s = 0;  ///< without the warm-up
  std::uint64_t due = 0;
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t unsent = 0;                     ///< due, and no connection or no time was left
  std::uint64_t late = 0;                       ///< sent over 1 ms after the intended time
  std::map<std::string, std::uint64_t> errors;  ///< by class: `connect: out_of_ports`, `reset`, …
  load::latencies latencies;
  cpu_time client_cpu;
  std::optional<cpu_time> server_cpu;
  double client_busy = 0;  ///< the busiest thread's share of its time on a processor
  port_use ports;
  std::vector<second> seconds;
  std::vector<std::string> flags;  ///< what makes the figures doubtful, in words: no verdict
  std::vector<std::string> notes;  ///< what to bear in mind with them
};

/// The machine, and both ends of the link.
struct environment {
  std::string kernel;
  std::string processor;
  std::uint32_t processors = 0;
  std::string version;  ///< of dwell-load
  std::string link;     ///< "veth between two fresh network namespaces", "loopback", …
  std::string server;   ///< "own echo server", "http://10.0.0.2:80/"
  std::map<std::string, std::string> client_sysctls, server_sysctls;
  std::optional<std::uint64_t> client_time_wait_limit, server_time_wait_limit;  ///< max_tw_buckets
  std::uint64_t descriptors = 0;                                                ///< RLIMIT_NOFILE
};

/// A mode, or a way to close: a column of the report.
struct column {
  std::string name;                    ///< "long", "short, client closes", …
  std::vector<run_result> at_rate;     ///< repeats at the same offered rate
  std::vector<run_result> search;      ///< one run per rate tried for the highest sustained
  std::optional<double> highest_rate;  ///< sustained; null: not searched, or not one was
  /// One run of over 60 s at that rate, for TIME_WAIT and ports; its latencies are in no median.
  std::optional<run_result> time_wait;
};

/// report.json: `"format": "dwell-load 1"`, then these.
struct report {
  std::string command;
  std::string written;  ///< ISO 8601, UTC
  bool partial = false;
  std::string verdict;                ///< a sentence with numbers; empty: withheld
  std::vector<std::string> withheld;  ///< why there is none
  std::vector<std::string> remarks;   ///< what follows from the numbers, a sentence each
  load::environment environment;
  std::vector<column> columns;
};

}  // namespace load
