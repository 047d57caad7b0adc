#include "server/core.hpp"

#include <cstring>

namespace dwell::inline v0 {
namespace {

spdlog::level::level_enum level_of(close_reason reason) noexcept {
  switch (reason) {
    case close_reason::finished:
    case close_reason::peer_closed:
    case close_reason::drain:
    case close_reason::lifetime: return spdlog::level::debug;
    case close_reason::handler_failed: return spdlog::level::warn;
    default: return spdlog::level::info;
  }
}

/// What was wrong with the peer's TLS.
std::string filter_failure(const slot& which) {
  if (!which.filtered || which.filter().failure().empty()) return {};
  return "; TLS: " + std::string{which.filter().failure()};
}

/// The name of an errno value: what a connection was lost by.
std::string in_brackets(int error) {
  const char* const name = error == 0 ? nullptr : ::strerrorname_np(error);
  return name == nullptr ? std::string{} : " (" + std::string{name} + ')';
}

std::string and_suppressed(std::uint64_t count) {
  return count == 0 ? std::string{} : " (and " + std::to_string(count) + " more like it)";
}

}  // namespace

void server_core::log_close(const slot& which, const close_record& record) noexcept {
  const auto level = level_of(record.reason);
  if (!logger_->should_log(level)) return;
  const auto index = static_cast<std::size_t>(record.reason);
  const auto [pass, suppressed] = close_lines_[index].ask(which.service->host->io().now());
  if (!pass) return;
  try {
    logger_->log(level,
                 "{} {} {}: {}{} in {} after {} ms, {} exchanges, {} B in, {} B out, {} by {}, "
                 "TIME_WAIT {} ({}){}{}",
                 which.options().name, to_string(which.id()), to_string(which.peer_endpoint()),
                 to_string(record.reason), in_brackets(record.error), to_string(record.phase),
                 record.age.count(), record.exchanges, record.received, record.sent,
                 to_string(record.done), to_string(record.first), to_string(record.time_wait),
                 to_string(record.certainty), filter_failure(which), and_suppressed(suppressed));
  } catch (const std::exception&) {  // no memory for a log line is no reason to stop serving
  }
}

void server_core::log_failure(const slot& which, const char* what) noexcept {
  const auto [pass, suppressed] = failure_lines_.ask(which.service->host->io().now());
  if (!pass) return;
  try {
    logger_->warn("{} {}: the handler failed: {}{}", which.options().name, to_string(which.id()),
                  what, and_suppressed(suppressed));
  } catch (const std::exception&) {
  }
}

void server_core::log_held(const slot& which, duration for_so_long) noexcept {
  const auto [pass, suppressed] = held_lines_.ask(which.service->host->io().now());
  if (!pass) return;
  try {
    const std::string name =
        which.options().name + ' ' + to_string(which.id()) + ' ' + to_string(which.peer_endpoint());
    if (which.is_released()) {
      logger_->warn("{}: closed ({} in {}), but its handler still runs after {} ms{}", name,
                    to_string(which.why), to_string(which.ended_in), for_so_long.count(),
                    and_suppressed(suppressed));
    } else {
      logger_->warn(
          "{}: the peer has closed, the handler has not: nothing read, written or owed for {} ms, "
          "in {}{}",
          name, for_so_long.count(), to_string(which.phase()), and_suppressed(suppressed));
    }
  } catch (const std::exception&) {
  }
}

void server_core::task_failed(const char* what) noexcept {
  failed_ = true;
  const auto [pass, suppressed] = failure_lines_.ask(hosts_.front()->io->now());
  if (!pass) return;
  try {
    logger_->warn("a coroutine of no connection threw: {}{}", what, and_suppressed(suppressed));
  } catch (const std::exception&) {
  }
}

void server_core::log_accept_failed(int error, std::uint64_t now) noexcept {
  const auto [pass, suppressed] = accept_lines_.ask(now);
  if (!pass) return;
  try {
    logger_->warn(
        "accept4: {}; accepting pauses for a moment; raise RLIMIT_NOFILE or lower "
        "server_options::connections{}",
        std::strerror(error), and_suppressed(suppressed));
  } catch (const std::exception&) {
  }
}

}  // namespace dwell::inline v0
