#include "engine/epoll/clock.hpp"
#include "server/core.hpp"

#include <algorithm>

namespace dwell::inline v0 {
namespace {

void add_counts(const service_counters& of, connection_counts& sum) noexcept {
  // Read in the order opposite to writing, so that no difference is negative.
  const std::uint64_t freed = of.freed.read();
  const std::uint64_t released = of.released.read();
  const std::uint64_t opened = of.opened.read();
  sum.opened += opened;
  sum.live += opened - released;
  sum.waiting_for_frames += released - freed;
  read_each(of.closed, sum.closed);
  read_each(of.methods, sum.methods);
  read_each(of.time_wait, sum.time_wait);
  sum.observed += of.observed.read();
  sum.reap_raced += of.reap_raced.read();
  sum.evicted += of.evicted.read();
  sum.refused += of.refused.read();
  sum.over_address_limit += of.over_address_limit.read();
  sum.shrunk += of.shrunk.read();
  read_each(of.handshakes, sum.handshakes);
  read_each(of.proxy_headers, sum.proxy_headers);
  sum.exchanges += of.exchanges.read();
  sum.received += of.received.read();
  sum.sent += of.sent.read();
  sum.held += of.held.read();
  sum.frames_held += of.frames_held.read();
}

}  // namespace

server_counts server_core::counts() const noexcept {
  server_counts sum;
  sum.reloaded = reloaded_.load(std::memory_order_relaxed);
  sum.not_reloaded = not_reloaded_.load(std::memory_order_relaxed);
  const std::lock_guard lock{adding_};
  for (const auto& host : hosts_) {
    for (std::size_t i = 0; i < services_.size(); ++i) {
      add_counts(host->connections->counters(i), sum);
    }
    for (auto* each = host->connections->outbound(); each != nullptr; each = each->next) {
      add_counts(each->counters, sum);
    }
    const loop_counters& of = host->connections->counters();
    sum.accept_failed += of.accept_failed.read();
    sum.reaped_later += of.reaped_later.read();
    sum.connected += of.connected.read();
    sum.connect_failed += of.connect_failed.read();
    read_each(of.turns, sum.turns);
    sum.busy += duration{static_cast<std::int64_t>(of.busy.read())};
    if (host->epoll == nullptr) continue;  // no time passes in a simulated turn
    const std::uint64_t began = of.turn_began.load(std::memory_order_relaxed);
    const std::uint64_t now = began == 0 ? 0 : read_clock();
    const auto turn = duration{now > began ? static_cast<std::int64_t>(now - began) : 0};
    sum.longest_turn_now = std::max(sum.longest_turn_now, turn);
  }
  return sum;
}

std::vector<service_status> server_core::services() const {
  const std::lock_guard lock{adding_};
  std::vector<service_status> all;
  for (const auto& each : services_) {
    service_status& status = all.emplace_back();
    status.name = each->options.name;
    status.where = each->bound;
    for (const auto& host : hosts_) {
      const service_counters& of = host->connections->counters(each->index);
      add_counts(of, status.counts);
      status.time_wait_recently += of.time_wait_here.read(now());
    }
  }
  return all;
}

}  // namespace dwell::inline v0
