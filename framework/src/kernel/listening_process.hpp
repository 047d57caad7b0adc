#pragma once

#include <dwell/kernel/system_facts.hpp>

#include <optional>
#include <vector>

namespace dwell::inline v0 {

/// Descriptors and limits of the calling process.
descriptor_facts read_own_descriptors();

/// Those of the process that holds one of these listeners. nullopt where /proc does not show it:
/// another user's.
std::optional<descriptor_facts> find_listening_process(const std::vector<listener_view>& listeners);

}  // namespace dwell::inline v0
