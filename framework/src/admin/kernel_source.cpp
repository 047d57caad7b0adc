#include "admin/kernel_source.hpp"

#include <exception>

namespace dwell::inline v0 {

kernel_source::kernel_source() {
  try {
    view_.emplace();
  } catch (const std::exception& failure) {
    error_ = failure.what();
  }
}

kernel_facts kernel_source::about_network() noexcept { return about_ports({}); }

kernel_facts kernel_source::about_ports(const std::vector<service_status>& services) noexcept {
  kernel_facts facts;
  facts.error = error_;
  if (!view_) return facts;
  try {
    facts.usage = view_->usage();
    facts.counters = view_->counters();
    for (const service_status& each : services) {
      std::optional<port_view>& seen = facts.ports.emplace_back();
      if (!each.where.is_unix()) seen = view_->port(each.where.port, port_of::local_end);
    }
  } catch (const std::exception& failure) {
    facts.error = failure.what();
  }
  return facts;
}

}  // namespace dwell::inline v0
