#pragma once

#include "admin/log_level.hpp"
#include "admin/survey.hpp"

#include <string>

namespace dwell::inline v0 {

class connection;
class server;

/// The reply of /status: what the page shows but for the table of connections and the kernel's
/// side. `asker` lends its loop's clock.
std::string status_json(const server& observed, const survey::result& seen, const log_level& log,
                        const connection& asker);

}  // namespace dwell::inline v0
