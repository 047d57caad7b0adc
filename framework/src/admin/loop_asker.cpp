#include "admin/loop_asker.hpp"

#include "admin/replies.hpp"

#include <chrono>

namespace dwell::inline v0 {
namespace {

using namespace std::chrono_literals;

/// How long the loops may take to show their connections.
constexpr duration patience = 1s;
/// Each costs a blocked loop an entry in its mailbox.
constexpr int most_unanswered = 64;

}  // namespace

std::uint32_t loop_asker::loops() const noexcept {
  const server_stage stage = observed_->stage();
  const bool runs = stage == server_stage::running || stage == server_stage::draining;
  return runs ? observed_->loops() : 0;
}

std::optional<http::response> loop_asker::too_busy() const {
  if (unanswered_->load() < most_unanswered) return std::nullopt;
  return plain(http::status::service_unavailable,
               "a loop has yet to answer earlier requests; dwell_loop_longest_turn_seconds "
               "in /metrics says for how long\n");
}

/// The walk outlives the request where a loop takes longer; the timer does not keep it.
void loop_asker::stop_in_time(connection& asker, const std::shared_ptr<loop_walk>& seen) {
  asker.after(patience, [late = std::weak_ptr{seen}](connection&) {
    if (const auto still = late.lock()) still->stop_waiting();
  });
}

}  // namespace dwell::inline v0
