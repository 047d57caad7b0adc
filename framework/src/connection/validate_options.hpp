#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/deadline/deadlines.hpp>

namespace dwell::inline v0 {

/// What every connection of a service has, accepted or outbound: deadlines, limits and socket.
/// Throws std::invalid_argument, naming field and fix.
void validate_connections(const service_options& options);

/// TCP_USER_TIMEOUT as configured, or from the deadlines; `off`: the kernel's own patience.
duration user_timeout_of(const service_options& options);

}  // namespace dwell::inline v0
