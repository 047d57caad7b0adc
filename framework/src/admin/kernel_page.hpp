#pragma once

#include <dwell/server/server.hpp>

#include "admin/census.hpp"
#include "admin/kernel_source.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwell::inline v0 {

/// What /kernel shows: each service as the server and as the kernel sees it, at the same moment as
/// far as that goes.
struct kernel_page {
  std::vector<service_status> services;
  census::result seen;
  kernel_facts kernel;

  /// nullptr: the kernel could not be asked, or it is no port.
  const port_view* port(std::size_t service) const noexcept {
    return service < kernel.ports.size() && kernel.ports[service] ? &*kernel.ports[service]
                                                                  : nullptr;
  }
};

/// One thing that both can count. nullopt: this side does not know of it.
struct comparison {
  std::string_view what;
  std::string_view states;  ///< for a person: what the kernel's figure is made of
  std::optional<std::uint64_t> application;
  std::optional<std::uint64_t> kernel;
};

std::array<comparison, 6> compare(const kernel_page& page, std::size_t service);

std::string to_json(const kernel_page& page);
/// Tables for a person.
std::string to_text(const kernel_page& page);

}  // namespace dwell::inline v0
