#include "admin/log_level.hpp"

#include <dwell/connection/connection.hpp>

#include "admin/query_parameter.hpp"
#include "connection/loop.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace dwell::inline v0 {
namespace {

// In spdlog's order.
constexpr std::array<std::string_view, spdlog::level::n_levels> level_names{
    "trace", "debug", "info", "warn", "error", "critical", "off"};

}  // namespace

void log_level::set(level to, std::optional<duration> for_so_long, connection& asker) {
  const level before = loan_ ? loan_->back_to : logger_->level();
  const std::uint64_t change = ++changes_;
  loan_.reset();
  logger_->set_level(to);
  if (!for_so_long) return;
  loan_ = loan{before, asker.now() + *for_so_long};
  as_slot(asker).service->host->timers().call_after(*for_so_long, [this, change] {
    if (change == changes_) go_back();
  });
}

void log_level::go_back() noexcept {
  if (const auto ended = std::exchange(loan_, std::nullopt)) logger_->set_level(ended->back_to);
}

nlohmann::ordered_json log_level::describe(const connection& asker) const {
  nlohmann::ordered_json made;
  made["level"] = name_of(logger_->level());
  made["back_to"] = nullptr;
  made["back_in_ms"] = nullptr;
  if (loan_) {
    made["back_to"] = name_of(loan_->back_to);
    made["back_in_ms"] = std::chrono::duration_cast<duration>(loan_->until - asker.now()).count();
  }
  return made;
}

log_level::level read_level(const query_parameter& given) {
  return one_of<log_level::level>(level_names, given, given.value);
}

std::string_view name_of(log_level::level which) noexcept {
  return level_names[static_cast<std::size_t>(which)];
}

}  // namespace dwell::inline v0
