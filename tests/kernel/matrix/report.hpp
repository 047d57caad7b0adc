#pragma once

#include "matrix/verdict.hpp"

#include <deque>
#include <string>

namespace dwell {

/// The cells of one peer as a table for people, a line each.
void print(const peer_behaviour& peer, const std::deque<cell_run>& runs);

/// The same as JSON, for docs/generate_time_wait.py: FOLDER/<peer>.json.
void write_json(const std::string& folder, const peer_behaviour& peer,
                const std::deque<cell_run>& runs);

}  // namespace dwell
