#include "engine/epoll/clock.hpp"
#include "engine/epoll/epoll_engine.hpp"
#include "server/core.hpp"
#include "server/signals.hpp"

#include <asio/post.hpp>

namespace dwell::inline v0 {

// ── the steps ──

void server_core::drain() noexcept {
  server_stage expected = server_stage::running;
  if (!stage_.compare_exchange_strong(expected, server_stage::draining)) return;
  if (!enter(drain_step::announcing, options_.drain.delay)) return;  // or stop() was quicker
  const duration delay = options_.drain.delay;
  order_all([delay](loop& each) { each.announce_end(delay); });
  hosts_.front()->connections->mail()->order([this, delay](loop& first) {
    if (delay == duration{0}) return accept_the_last(first);
    first.timers().call_after(delay, [this, &first] { accept_the_last(first); });
  });
}

/// What waits in the accept queues comes in, and the listeners close. Loop 0 may deal it to others:
/// they are told to finish after that.
void server_core::accept_the_last(loop& first) {
  const duration deadline = options_.drain.deadline;
  const std::optional<duration> bound = deadline == off ? std::nullopt : std::optional{deadline};
  if (!enter(drain_step::accepting_last, bound)) return;
  if (bound) first.timers().call_after(deadline, [this] { abort_rest(); });
  loops_accepting_ = hosts_.size();
  order_all([this, bound](loop& each) {
    each.io().accept_queued();
    each.io().close_listeners();
    if (loops_accepting_.fetch_sub(1) != 1 || !enter(drain_step::finishing, bound)) return;
    order_all([this](loop& on) { finish_exchanges(on); });
  });
}

void server_core::finish_exchanges(loop& on) {
  on.when_empty([this, &on] { loop_ended(on); });
  const duration deadline = options_.drain.deadline;
  const duration half = (deadline == off ? drain_options{}.deadline : deadline) / 2;
  on.drain({.first_request = options_.drain.first_request,
            .spread = options_.drain.spread,
            .patience = half});
}

void server_core::stop() noexcept {
  if (drain_.step() != drain_step::ended) stage_ = server_stage::draining;
  abort_rest();
}

/// Resets what is left. Handlers that are suspended in something that cannot be cancelled get a
/// moment; what is left after that is destroyed with the server.
void server_core::abort_rest() noexcept {
  constexpr duration moment{1'000};
  if (!enter(drain_step::aborting, moment)) return;
  order_all([this](loop& each) {
    each.io().close_listeners();
    each.when_empty([this, &each] { loop_ended(each); });
    each.abort_all();
    each.timers().call_after(moment, [this, &each] {
      each.when_empty({});
      loop_ended(each);
    });
  });
}

/// Loop 0 goes last: it carries the signals and the drain deadline.
void server_core::loop_ended(loop& which) {
  loop_host& host = *hosts_[which.index()];
  if (std::exchange(host.ended, true)) return;
  const bool last = loops_running_.fetch_sub(1) == 1;
  loop_host& first = *hosts_.front();
  if (&host != &first) stop_turning(host);
  if (!last) return;
  enter(drain_step::ended);
  stage_ = server_stage::ended;
  if (&host == &first) return stop_turning(first);
  first.connections->mail()->order([this](loop&) { stop_turning(*hosts_.front()); });
}

/// What is still in its mailbox, or comes later, is not for anybody any more.
void server_core::stop_turning(loop_host& host) {
  host.connections->end_mail();
  if (host.epoll != nullptr) host.epoll->stop();
  if (host.context != nullptr) host.context->stop();
}

// ── how far it is ──

/// From any thread; of a simulation there is one.
std::uint64_t server_core::now() const noexcept {
  const loop_host& first = *hosts_.front();
  if (first.epoll != nullptr) return read_clock();
  first.io->restamp();  // no turn may have been for a while
  return first.io->now();
}

/// True when the drain was not there yet; each step is a line in the log.
bool server_core::enter(drain_step next, std::optional<duration> bound) noexcept {
  const bool begins = drain_.step() == drain_step::none;
  const server_counts before = begins ? counts() : server_counts{};
  if (!drain_.enter(next, now(), bound)) return false;
  if (begins) drain_.began_with(before.live, before.reap_raced);
  log_step(draining());
  return true;
}

drain_progress server_core::draining() const {
  const server_counts all = counts();
  std::uint64_t aborted = 0;
  for (const auto& host : hosts_) aborted += host->connections->counters().aborted.read();
  return drain_.complete({.connections = all.live, .crossed = all.reap_raced, .aborted = aborted},
                         now());
}

}  // namespace dwell::inline v0
