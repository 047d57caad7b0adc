#pragma once

#include <dwell/connection/options.hpp>
#include <dwell/server/options.hpp>

#include "connection/service.hpp"

namespace dwell::inline v0 {

/// Each throws std::invalid_argument naming the field, its value and what to use.
void validate(const server_options& options);
void validate(const service_options& options, const connection_handler& what);

}  // namespace dwell::inline v0
