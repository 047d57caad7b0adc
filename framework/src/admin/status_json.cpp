#include "admin/status_json.hpp"

#include <dwell/connection/connection.hpp>
#include <dwell/server/server.hpp>

#include "admin/connections_json.hpp"
#include "admin/drain_page.hpp"
#include "admin/json_text.hpp"

#include <array>
#include <chrono>
#include <span>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace dwell::inline v0 {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view to_string(server_stage stage) noexcept {
  constexpr std::string_view names[] = {"made", "running", "draining", "ended"};
  return names[static_cast<std::size_t>(stage)];
}

/// By the names of an enumeration.
template <class Enum, class Number, std::size_t count>
ordered_json by_name(const std::array<Number, count>& counts) {
  ordered_json made;
  for (std::size_t i = 0; i < count; ++i) {
    made[std::string{dwell::to_string(static_cast<Enum>(i))}] = counts[i];
  }
  return made;
}

/// `[[bound, count], …]`; the last bound is null: beyond all.
template <class Bounds, class Counts>
ordered_json histogram(const Bounds& bounds, const Counts& counts) {
  ordered_json made = ordered_json::array();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    ordered_json bound;
    if (i < bounds.size()) bound = bounds[i];
    made.push_back(ordered_json::array({std::move(bound), counts[i]}));
  }
  return made;
}

ordered_json connections_of(const server& observed, const server_counts& counts,
                            const service_census& seen) {
  ordered_json made;
  made["open"] = counts.live;
  made["limit"] = observed.capacity();
  made["waiting_for_frames"] = counts.waiting_for_frames;
  made["phases"] = by_name<phase>(seen.phases);
  made["states"] = {{"established", seen.established},
                    {"peer_closed", seen.close_wait},
                    {"held", seen.held},
                    {"closing", seen.closing},
                    {"reset", seen.lost}};
  return made;
}

ordered_json totals_of(const server_counts& counts) {
  ordered_json made;
  made["opened"] = counts.opened;
  made["evicted"] = counts.evicted;
  made["refused"] = counts.refused;
  made["shrunk"] = counts.shrunk;
  made["reaped_later"] = counts.reaped_later;
  made["accept_failed"] = counts.accept_failed;
  made["reap_raced"] = counts.reap_raced;
  made["exchanges"] = counts.exchanges;
  made["received_bytes"] = counts.received;
  made["sent_bytes"] = counts.sent;
  made["closed"] = by_name<close_reason>(counts.closed);
  made["methods"] = by_name<close_method>(counts.methods);
  made["time_wait"] = by_name<time_wait>(counts.time_wait);
  made["time_wait_observed"] = counts.observed;
  made["handshakes"] = by_name<handshake_result>(counts.handshakes);
  return made;
}

ordered_json loops_of(const server& observed, const server_counts& counts,
                      const std::vector<std::uint32_t>& silent) {
  ordered_json made;
  made["count"] = observed.loops();
  made["silent"] = silent;
  made["busy_ms"] = counts.busy.count();
  made["longest_turn_now_ms"] = counts.longest_turn_now.count();
  made["turns_ms"] = histogram(turn_bounds, counts.turns);
  return made;
}

ordered_json pressure_of(const pressure_status& pressure) {
  ordered_json made;
  made["level"] = dwell::to_string(pressure.level);
  made["cause"] = dwell::to_string(pressure.cause);
  made["used_percent"] = by_name<pressure_cause>(pressure.used);
  made["reached"] = by_name<pressure_level>(pressure.reached);
  made["memory_bytes"] = pressure.memory;
  return made;
}

ordered_json services_of(const server& observed, std::span<const service_census> seen) {
  ordered_json made = ordered_json::array();
  const std::vector<service_status> services = observed.services();
  for (std::size_t i = 0; i < services.size() && i < seen.size(); ++i) {
    made.push_back({{"service", services[i].name},
                    {"listen", dwell::to_string(services[i].where)},
                    {"open", services[i].counts.live},
                    {"opened", services[i].counts.opened},
                    {"phases", by_name<phase>(seen[i].phases)}});
  }
  return made;
}

}  // namespace

std::string status_json(const server& observed, const survey::result& seen, const log_level& log,
                        const connection& asker) {
  const server_counts counts = observed.counts();
  service_census all;
  for (const service_census& each : seen.services) all.add(each);
  const auto now = asker.now().time_since_epoch();
  ordered_json made;
  made["pid"] = ::getpid();
  made["now_ms"] = std::chrono::duration_cast<duration>(now).count();
  made["stage"] = to_string(observed.stage());
  made["connections"] = connections_of(observed, counts, all);
  made["idle_s"] = histogram(idle_histogram::bounds, seen.idle.counts());
  made["next_due"] = ordered_json::array();
  for (const connection_row& each : seen.next_due) made["next_due"].push_back(to_json(each));
  made["pressure"] = pressure_of(observed.pressure());
  made["drain"] = describe(observed.draining());
  made["totals"] = totals_of(counts);
  made["loops"] = loops_of(observed, counts, seen.silent_loops);
  made["services"] = services_of(observed, seen.services);
  made["log"] = log.describe(asker);
  // A line for each member: it is read by people, too.
  std::string text;
  for (const auto& [name, value] : made.items()) {
    text.append(text.empty() ? "{" : ",\n ");
    text.append(json_text(name)).append(": ").append(json_text(value));
  }
  return text.append("}\n");
}

}  // namespace dwell::inline v0
