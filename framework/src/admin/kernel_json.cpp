#include "admin/json_text.hpp"
#include "admin/kernel_page.hpp"

namespace dwell::inline v0 {
namespace {

using nlohmann::ordered_json;

ordered_json number_or_null(const std::optional<std::uint64_t>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json application_of(const service_status& service, const service_census& seen) {
  ordered_json made;
  made["connections"] = seen.connections();
  for (std::size_t i = 0; i < seen.phases.size(); ++i) {
    made["phases"][std::string{to_string(static_cast<phase>(i))}] = seen.phases[i];
  }
  made["held"] = seen.held;
  made["waiting_for_frames"] = service.counts.waiting_for_frames;
  for (std::size_t i = 0; i < time_wait_count; ++i) {
    made["time_wait_since_start"][std::string{to_string(static_cast<time_wait>(i))}] =
        service.counts.time_wait[i];
  }
  return made;
}

ordered_json kernel_of(const port_view& seen) {
  ordered_json made;
  for (std::size_t i = 0; i < tcp_state_count; ++i) {
    const auto state = static_cast<tcp_state>(i);
    if (state == tcp_state::closed) continue;  // not asked for
    made["states"][std::string{to_string(state)}] = seen.local[state];
  }
  made["orphans"] = seen.orphans;
  made["not_accepted"] = seen.waiting_accept;
  made["unread_bytes"] = seen.unread;
  made["unacknowledged_bytes"] = seen.unacknowledged;
  made["accept_queues"] = ordered_json::array();
  for (const listener_view& each : seen.listeners) {
    made["accept_queues"].push_back(
        {{"listener", to_string(each.where)}, {"queued", each.queued}, {"limit", each.limit}});
  }
  return made;
}

ordered_json network_of(const kernel_facts& kernel) {
  ordered_json made;
  made["sockets_in_use"] = kernel.usage.in_use;
  made["time_wait"] = kernel.usage.time_wait;
  made["orphans_of_machine"] = kernel.usage.orphans;
  made["memory_pages_of_machine"] = kernel.usage.memory_pages;
  for (const std::string_view name : network_counters::about_connections()) {
    if (const auto value = kernel.counters.find(name)) made["counters"][std::string{name}] = *value;
  }
  return made;
}

}  // namespace

std::string to_json(const kernel_page& page) {
  std::string text = "{\"kernel_error\": ";
  const std::string& error = page.kernel.error;
  text += json_text(error.empty() ? ordered_json() : ordered_json(error));
  text += ",\n \"silent_loops\": " + json_text(page.seen.silent_loops);
  text += ",\n \"network\": ";
  text += json_text(error.empty() ? network_of(page.kernel) : ordered_json());
  text += ",\n \"services\": [";
  const char* before = "\n  ";
  for (std::size_t i = 0; i < page.services.size(); ++i) {
    const service_status& service = page.services[i];
    const port_view* const kernel = page.port(i);
    ordered_json made;
    made["service"] = service.name;
    made["listen"] = to_string(service.where);
    for (const comparison& each : compare(page, i)) {
      made["compared"].push_back({{"what", each.what},
                                  {"application", number_or_null(each.application)},
                                  {"kernel", number_or_null(each.kernel)}});
    }
    made["application"] = application_of(service, page.seen.services[i]);
    made["kernel"] = kernel != nullptr ? kernel_of(*kernel) : ordered_json();
    text += before + json_text(made);
    before = ",\n  ";
  }
  return text += "]}\n";
}

}  // namespace dwell::inline v0
