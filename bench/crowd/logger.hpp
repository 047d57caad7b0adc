#pragma once

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

// To standard error, what is wrong only: how a million connections come and go is counted.
inline std::shared_ptr<spdlog::logger> faults_only() {
  auto logger = spdlog::get("crowd");
  if (logger == nullptr) logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("crowd");
  logger->set_level(spdlog::level::warn);
  return logger;
}
