#include "base/descriptor_reserve.hpp"
#include "server/core.hpp"

#include <algorithm>
#include <stdexcept>
#include <sys/resource.h>

namespace dwell::inline v0 {
namespace {

std::uint64_t descriptors_allowed() noexcept {
  rlimit descriptors{};
  return ::getrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? descriptors.rlim_cur : unlimited;
}

}  // namespace

/// Connections that one loop may have, whatever the others have.
std::uint64_t server_core::most_of_a_loop(std::uint64_t descriptors) const noexcept {
  return options_.tables == descriptor_tables::per_loop
             ? connections_within_table(descriptors, hosts_.size())
             : connections_within(descriptors, hosts_.size());
}

std::uint64_t server_core::cut_to_descriptors(std::uint64_t connections) const {
  const std::uint64_t descriptors = descriptors_allowed();
  if (descriptors == unlimited) return connections;
  const std::uint64_t of_each = most_of_a_loop(descriptors);
  const bool per_loop = options_.tables == descriptor_tables::per_loop;
  const std::uint64_t possible = per_loop ? of_each * hosts_.size() : of_each;
  if (connections > possible && connections != unlimited) {
    logger_->warn("connections = {} is cut to {}: RLIMIT_NOFILE is {}; raise it with `ulimit -n`",
                  connections, possible, descriptors);
  }
  return std::min(connections, possible);
}

void server_core::limit_to_descriptors() {
  const std::uint64_t descriptors = descriptors_allowed();
  const std::uint64_t of_each = most_of_a_loop(descriptors);
  if (options_.tables == descriptor_tables::per_loop) {
    make_tables(of_each);
  } else {  // a number in a table of its own tells nothing of the others
    ladder_.set_descriptors(descriptors);
  }
  ladder_.set_limit(cut_to_descriptors(options_.connections));
  for (const auto& host : hosts_) host->connections->reserve(std::min(capacity(), of_each));
}

std::uint64_t server_core::set_connections(std::uint64_t connections) {
  if (connections == 0) throw std::invalid_argument{"connections = 0: use at least 1"};
  const bool simulated = hosts_.front()->epoll == nullptr;  // and has no descriptors
  const std::uint64_t now = simulated ? connections : cut_to_descriptors(connections);
  // Before the flag is looked at, as wait_for_room() and readmit() do in the opposite order.
  ladder_.set_limit(now);
  order_all([now](loop& each) { each.reserve(now); });
  if (ladder_.end_waiting()) order_all([](loop& each) { each.accept(true); });
  climb();
  return now;
}

}  // namespace dwell::inline v0
