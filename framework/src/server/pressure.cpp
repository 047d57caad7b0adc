#include "server/core.hpp"

namespace dwell::inline v0 {

void server_core::saw_descriptor(int number) noexcept { ladder_.saw_descriptor(number); }

void server_core::evicted() noexcept {
  ladder_.evicted();
  if (ladder_.level() < pressure_level::evict_idle) climb();
}

void server_core::refused() noexcept {
  ladder_.refused();
  if (ladder_.level() < pressure_level::refuse) climb();
}

void server_core::memory_changed(std::int64_t bytes) noexcept {
  if (ladder_.add_memory(bytes)) climb();
}

void server_core::turn_was_long(duration length) noexcept {
  ladder_.turn_took(length);
  climb();
}

void server_core::climb() noexcept {
  if (is_client_) return;  // it lets nobody in
  if (const auto step = ladder_.reconsider()) take_step(*step);
}

void server_core::take_step(const pressure_ladder::step& step) noexcept {
  order_all(standing_order::heed_pressure);
  if (!watching_pressure_.exchange(true)) {
    hosts_.front()->connections->mail()->order(standing_order::watch_pressure);
  }
  if (step.from == step.to) return;
  const auto [pass, suppressed] = pressure_lines_.ask(now());
  if (!pass) return;
  try {
    const pressure_status seen = ladder_.status();
    const auto level = step.to > step.from ? spdlog::level::warn : spdlog::level::info;
    if (step.to == pressure_level::normal) {
      logger_->log(level, "pressure: normal, after {}", to_string(step.from));
    } else {
      logger_->log(level, "pressure: {}, after {}: {} % of {} in use", to_string(step.to),
                   to_string(step.from), seen.used[static_cast<std::size_t>(seen.cause)],
                   to_string(seen.cause));
    }
  } catch (const std::exception&) {  // no memory for a log line is no reason to stop serving
  }
}

void server_core::watch_pressure() noexcept { pressure_watch_.again(); }

void pressure_watch::fire() { of_->look_at_pressure(); }

/// Every tenth of a second, on loop 0, and only while there is some.
void server_core::look_at_pressure() noexcept {
  if (const auto step = ladder_.tick()) {
    take_step(*step);
  } else if (ladder_.evicts()) {
    order_all(standing_order::heed_pressure);
  }
  if (ladder_.level() == pressure_level::normal) {
    watching_pressure_ = false;
    if (ladder_.level() == pressure_level::normal || watching_pressure_.exchange(true)) return;
  }
  pressure_watch_.again();
}

}  // namespace dwell::inline v0
