#include "admin/kernel_page.hpp"

#include <iomanip>
#include <ostream>
#include <sstream>

namespace dwell::inline v0 {
namespace {

struct figure {
  std::optional<std::uint64_t> value;
};
std::ostream& operator<<(std::ostream& to, const figure& number) {
  to << std::setw(13);
  return number.value ? to << *number.value : to << '-';
}

void print_service(std::ostream& to, const kernel_page& page, std::size_t index) {
  const service_status& service = page.services[index];
  to << service.name << ' ' << to_string(service.where) << '\n';
  to << "  " << std::setw(24) << "" << std::setw(13) << "application" << std::setw(13) << "kernel"
     << '\n';
  for (const comparison& each : compare(page, index)) {
    to << "  " << std::left << std::setw(24) << each.what << std::right << figure{each.application}
       << figure{each.kernel} << "  " << each.states << '\n';
  }
  if (const port_view* const kernel = page.port(index)) {
    for (const listener_view& each : kernel->listeners) {
      to << "  accept queue of " << to_string(each.where) << ": " << each.queued << " of "
         << each.limit << '\n';
    }
  }
  if (const std::uint64_t held = page.seen.services[index].held; held != 0) {
    to << "  held open by the handler after the peer's FIN: " << held
       << "; see /connections?state=held\n";
  }
  if (const std::uint64_t waiting = service.counts.waiting_for_frames; waiting != 0) {
    to << "  closed, but the handler still runs: " << waiting << '\n';
  }
  to << '\n';
}

void print_network(std::ostream& to, const kernel_facts& kernel) {
  to << "network: " << kernel.usage.in_use << " TCP sockets in use, " << kernel.usage.time_wait
     << " in TIME_WAIT; machine: " << kernel.usage.orphans << " orphans\n";
  for (const std::string_view name : network_counters::about_connections()) {
    const auto value = kernel.counters.find(name);
    if (value && *value != 0) {
      to << "  " << std::left << std::setw(30) << name << std::right << std::setw(12) << *value
         << '\n';
    }
  }
}

}  // namespace

std::string to_text(const kernel_page& page) {
  std::ostringstream text;
  for (std::size_t i = 0; i < page.services.size(); ++i) print_service(text, page, i);
  for (const std::uint32_t loop : page.seen.silent_loops) {
    text << "loop " << loop << " did not answer within a second: its connections are missing\n";
  }
  if (page.kernel.error.empty()) {
    print_network(text, page.kernel);
  } else {
    text << "the kernel could not be asked: " << page.kernel.error << '\n';
  }
  return std::move(text).str();
}

}  // namespace dwell::inline v0
