#include "base/log.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace dwell::inline v0 {
namespace {

constexpr std::size_t queued_lines = 1'024;

/// spdlog's logger holds its pool weakly; this one keeps it alive.
struct own_logger {
  own_logger() = default;
  own_logger(const own_logger&) = delete;
  own_logger& operator=(const own_logger&) = delete;
  /// The pool's thread writes what is queued and ends, before the logger goes that it writes to.
  ~own_logger() { pool.reset(); }

  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(queued_lines, 1);
  std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
      "dwell", std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool,
      spdlog::async_overflow_policy::overrun_oldest);
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger() {
  auto own = std::make_shared<own_logger>();
  own->logger->set_level(spdlog::level::info);
  own->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
  spdlog::logger* const logger = own->logger.get();
  return {std::move(own), logger};
}

rate_limit::verdict rate_limit::ask(std::uint64_t now_ms) noexcept {
  const std::uint64_t second = now_ms / 1000;
  if (second_.exchange(second, std::memory_order_relaxed) != second) {
    passed_.store(0, std::memory_order_relaxed);
  }
  if (passed_.fetch_add(1, std::memory_order_relaxed) >= per_second) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return {false, 0};
  }
  return {true, suppressed_.exchange(0, std::memory_order_relaxed)};
}

}  // namespace dwell::inline v0
