#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace dwell::inline v0 {

/// An asynchronous logger to standard error that never blocks its callers: when its queue is full,
/// the oldest line goes. Known to nobody else: spdlog's registry is not touched.
std::shared_ptr<spdlog::logger> make_logger();

/// Lets ten lines a second of one cause through and counts the rest. Thread-safe; a race may let a
/// line or two more pass.
class rate_limit {
 public:
  struct verdict {
    bool pass;
    std::uint64_t suppressed;  ///< since the last line that passed in an earlier second
  };
  verdict ask(std::uint64_t now_ms) noexcept;

 private:
  static constexpr std::uint32_t per_second = 10;
  std::atomic<std::uint64_t> second_{0};
  std::atomic<std::uint32_t> passed_{0};
  std::atomic<std::uint64_t> suppressed_{0};
};

}  // namespace dwell::inline v0
