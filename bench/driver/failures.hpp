#pragma once
#include <array>
#include <cstdint>

// Why an exchange failed, in classes that have different causes.
enum class failure {
  refused,          // nobody listens there
  reset,            // RST before the whole reply
  closed_early,     // FIN before the whole reply
  timed_out,        // no whole reply within --timeout
  ports_exhausted,  // EADDRNOTAVAIL: this machine ran out of ports, the server is not to blame
  no_descriptors,   // EMFILE here
  corrupt,          // the reply is not the request
  other,
};

constexpr std::array failure_names = {
    "refused",         "reset",          "closed_early", "timed_out",
    "ports_exhausted", "no_descriptors", "corrupt",      "other"};

using failure_counts = std::array<std::uint64_t, failure_names.size()>;

failure failure_of(int error);  // an errno
