#include "admin/gathering.hpp"

#include <dwell/connection/connection.hpp>

#include <new>
#include <utility>

namespace dwell::inline v0 {

gathering::gathering(connection_query query, std::uint32_t loops,
                     std::shared_ptr<std::atomic<int>> alive)
    : query_{std::move(query)},
      parts_(loops, part{best_rows{query_}}),
      alive_{std::move(alive)},
      loops_left_{loops} {
  ++*alive_;
}

void gathering::see(const connection& peer) noexcept {
  if (over_.load(std::memory_order_relaxed)) return;
  const connection_facts facts = facts_of(peer);
  if (!query_.takes(facts)) return;
  part& mine = parts_[facts.id.loop];
  try {
    std::string text;
    if (!query_.peer.empty()) {
      text = to_string(peer.peer_endpoint());
      if (!text.starts_with(query_.peer)) return;
    }
    ++mine.matched;
    const position at = query_.position_of(facts);
    if (!mine.rows.offer(at)) return;
    if (text.empty()) text = to_string(peer.peer_endpoint());
    mine.rows.add({at, facts, std::move(text)});
  } catch (const std::bad_alloc&) {
    mine.failed = true;
  }
}

void gathering::loop_done(std::uint32_t loop) noexcept {
  const std::lock_guard lock{mutex_};
  parts_[loop].done = true;
  if (--loops_left_ == 0) wake();
}

void gathering::stop_waiting() noexcept {
  const std::lock_guard lock{mutex_};
  wake();
}

/// Under the lock, so that who waits cannot go meanwhile.
void gathering::wake() noexcept {
  if (loops_answered* const waiter = std::exchange(waiter_, nullptr)) waiter->resume_later();
}

bool gathering::wait(loops_answered& waiter) noexcept {
  const std::lock_guard lock{mutex_};
  if (loops_left_ == 0) return false;
  waiter_ = &waiter;
  return true;
}

bool gathering::forget(loops_answered& waiter) noexcept {
  const std::lock_guard lock{mutex_};
  if (waiter_ != &waiter) return false;
  waiter_ = nullptr;
  return true;
}

connection_list gathering::take() {
  const std::lock_guard lock{mutex_};
  over_.store(true, std::memory_order_relaxed);
  connection_list list;
  best_rows all{query_};
  for (std::uint32_t loop = 0; loop < parts_.size(); ++loop) {
    part& each = parts_[loop];
    if (!each.done || each.failed) {
      list.silent_loops.push_back(loop);
      continue;
    }
    list.matched += each.matched;
    all.merge(std::move(each.rows));
  }
  list.more = all.offered() > query_.limit;
  list.rows = std::move(all).sorted();
  return list;
}

}  // namespace dwell::inline v0
