#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <memory>

namespace dwell::testing {

/// For servers under test whose log nobody asked for.
inline std::shared_ptr<spdlog::logger> quiet_logger() {
  auto made =
      std::make_shared<spdlog::logger>("quiet", std::make_shared<spdlog::sinks::null_sink_mt>());
  made->set_level(spdlog::level::off);
  return made;
}

}  // namespace dwell::testing
