#include "engine/epoll/epoll_engine.hpp"
#include "server/core.hpp"
#include "server/signals.hpp"

#include <asio/post.hpp>

namespace dwell::inline v0 {

void server_core::drain() noexcept {
  server_stage expected = server_stage::running;
  if (!stage_.compare_exchange_strong(expected, server_stage::draining)) return;
  hosts_.front()->connections->mail()->order([this](loop& first) {
    if (options_.drain.delay == duration{0}) return begin_drain(first);
    first.timers().call_after(options_.drain.delay, [this, &first] { begin_drain(first); });
  });
}

void server_core::begin_drain(loop& first) {
  logger_->info("draining");
  // What waits in the accept queues is served one exchange. Loop 0 may deal it to others: before
  // they are told to drain.
  accept_the_last(first);
  order_all([this](loop& each) {
    accept_the_last(each);
    each.when_empty([this, &each] { loop_ended(each); });
    each.drain();
  });
  if (options_.drain.deadline == off) return;
  first.timers().call_after(options_.drain.deadline, [this] { abort_rest(); });
}

void server_core::accept_the_last(loop& on) {
  on.io().accept_queued();
  on.io().close_listeners();
}

void server_core::stop() noexcept {
  stage_ = server_stage::draining;
  abort_rest();
}

/// Resets what is left. Handlers that are suspended in something that cannot be cancelled get a
/// moment; what is left after that is destroyed with the server.
void server_core::abort_rest() noexcept {
  if (aborting_.exchange(true)) return;
  order_all([this](loop& each) {
    constexpr duration moment{1'000};
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
  stage_ = server_stage::ended;
  logger_->info("ended");
  if (&host == &first) return stop_turning(first);
  first.connections->mail()->order([this](loop&) { stop_turning(*hosts_.front()); });
}

/// What is still in its mailbox, or comes later, is not for anybody any more.
void server_core::stop_turning(loop_host& host) {
  host.connections->end_mail();
  if (host.epoll != nullptr) host.epoll->stop();
  if (host.context != nullptr) host.context->stop();
}

}  // namespace dwell::inline v0
