#pragma once

#include <spdlog/fwd.h>

#include <memory>
#include <string>

/// A line of its own for each message, after the time; "-" is standard output. Never blocks who
/// writes to it: a thread of its own takes the lines to the file, each second at the latest, and
/// when its queue is full the oldest line goes. Throws spdlog::spdlog_ex, which names the file.
std::shared_ptr<spdlog::logger> open_access_log(const std::string& file);
