#include "common/access_log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>

std::shared_ptr<spdlog::logger> open_access_log(const std::string& file) {
  auto log = file == "-"
                 ? spdlog::create_async_nb<spdlog::sinks::stdout_sink_mt>("access")
                 : spdlog::create_async_nb<spdlog::sinks::basic_file_sink_mt>("access", file);
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
  spdlog::flush_every(std::chrono::seconds{1});
  return log;
}
