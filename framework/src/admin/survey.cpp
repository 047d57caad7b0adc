#include "admin/survey.hpp"

#include <dwell/connection/connection.hpp>

#include <algorithm>
#include <new>

namespace dwell::inline v0 {
namespace {

connection_query next_due_first() {
  connection_query query;
  query.order = connection_order::deadline;
  query.descending = false;
  query.limit = survey::next_shown;
  return query;
}

}  // namespace

void idle_histogram::add(duration idle) noexcept {
  const auto fits = std::ranges::find_if(
      bounds, [idle](std::uint32_t bound) { return idle <= std::chrono::seconds{bound}; });
  ++counts_[static_cast<std::size_t>(fits - bounds.begin())];
}

void idle_histogram::add(const idle_histogram& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

survey::survey(std::size_t services, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive)
    : loop_walk{loops, std::move(alive)},
      services_{services},
      by_deadline_{next_due_first()},
      parts_(loops, part{std::vector<service_census>(services), {}, best_rows{by_deadline_}}) {}

void survey::look(connection& peer) noexcept {
  const connection_facts facts = facts_of(peer);
  part& mine = parts_[facts.id.loop];
  count(peer, mine.services);
  mine.idle.add(facts.idle);
  if (!facts.time_left || facts.state == connection_state::closing) return;
  const position at = by_deadline_.position_of(facts);
  if (!mine.next_due.offer(at)) return;
  try {
    mine.next_due.add({at, facts, to_string(peer.peer_endpoint())});
  } catch (const std::bad_alloc&) {  // one row less
  }
}

survey::result survey::take() {
  result all;
  best_rows next_due{by_deadline_};
  all.services.resize(services_);
  all.silent_loops = take_parts([&](std::uint32_t loop) {
    part& each = parts_[loop];
    for (std::size_t i = 0; i < all.services.size(); ++i) all.services[i].add(each.services[i]);
    all.idle.add(each.idle);
    next_due.merge(std::move(each.next_due));
    return true;
  });
  all.next_due = std::move(next_due).sorted();
  return all;
}

}  // namespace dwell::inline v0
