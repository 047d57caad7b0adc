#pragma once

#include <dwell/deadline/deadlines.hpp>

#include <nlohmann/json_fwd.hpp>
#include <spdlog/logger.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace dwell::inline v0 {

class connection;
struct query_parameter;

/// The level of the server's log, changed for good or for a while. On the admin's loop; its end
/// ends the while, too.
class log_level {
 public:
  using level = spdlog::level::level_enum;

  explicit log_level(spdlog::logger& of) noexcept : logger_{&of} {}
  ~log_level() { go_back(); }
  log_level(const log_level&) = delete;
  log_level& operator=(const log_level&) = delete;

  /// nullopt: for good. `asker` lends its loop's clock.
  void set(level to, std::optional<duration> for_so_long, connection& asker);
  nlohmann::ordered_json describe(const connection& asker) const;

 private:
  struct loan {
    level back_to;
    std::chrono::steady_clock::time_point until;
  };
  void go_back() noexcept;

  spdlog::logger* logger_;
  std::optional<loan> loan_;
  std::uint64_t changes_ = 0;  // an earlier change's end is not this one's
};

constexpr duration longest_loan = std::chrono::hours{24};

/// Throws std::invalid_argument, naming the fix.
log_level::level read_level(const query_parameter& given);
std::string_view name_of(log_level::level which) noexcept;

}  // namespace dwell::inline v0
