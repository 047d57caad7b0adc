#include <dwell/kernel/doctor.hpp>

#include "kernel/diagnosing.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace dwell::inline v0 {
namespace {

/// What was asked in the unit of a limit; 0: nothing.
double asked_in(limit_unit unit, const workload& asked) {
  if (unit == limit_unit::per_second) return asked.rate.value_or(0);
  return static_cast<double>(asked.connections.value_or(0));
}

void validate(const workload& asked) {
  if (asked.rate && !(*asked.rate > 0 && std::isfinite(*asked.rate))) {
    throw std::invalid_argument{"workload.rate is " + std::to_string(*asked.rate) +
                                ": use connections a second, more than 0"};
  }
  if (asked.connections == std::uint64_t{0}) {
    throw std::invalid_argument{"workload.connections is 0: use at least 1"};
  }
}

/// What was asked for comes first, and of that what covers the least of it.
void sort_by_what_binds(std::vector<limit>& limits, const workload& asked) {
  const auto rank = [&](const limit& one) {
    const double wanted = asked_in(one.unit, asked);
    return std::pair{wanted == 0, wanted == 0 ? one.allows : one.allows / wanted};
  };
  std::ranges::stable_sort(limits, {}, rank);
}

}  // namespace

std::string_view to_string(network_side side) noexcept {
  return side == network_side::server ? "server" : "client";
}
std::string_view to_string(limit_unit unit) noexcept {
  return unit == limit_unit::at_once ? "at once" : "a second";
}
std::string_view to_string(beyond_limit beyond) noexcept {
  return beyond == beyond_limit::fails ? "fails" : "degrades";
}

const limit* diagnosis::first(network_side side, limit_unit unit) const noexcept {
  const auto found = std::ranges::find_if(
      limits, [&](const limit& one) { return one.side == side && one.unit == unit; });
  return found == limits.end() ? nullptr : &*found;
}

bool diagnosis::binds(beyond_limit beyond) const noexcept {
  return std::ranges::any_of(limits,
                             [&](const limit& one) { return one.binds && one.beyond == beyond; });
}

diagnosis diagnose(const system_facts& facts, const workload& asked) {
  validate(asked);
  diagnosis found{.asked = asked, .unreadable = facts.unreadable};
  found.limits = find_limits(facts, found.notes);
  std::erase_if(found.limits,
                [&](const limit& one) { return asked.side && one.side != *asked.side; });
  for (limit& one : found.limits) one.binds = one.allows < asked_in(one.unit, asked);
  sort_by_what_binds(found.limits, asked);
  found.folk = find_folk_settings(facts, asked);
  found.advice = advise(facts, found);
  return found;
}

diagnosis doctor(const workload& asked) { return diagnose(read_system_facts(asked.port), asked); }

}  // namespace dwell::inline v0
