#include "admin/gathering.hpp"

#include <dwell/connection/connection.hpp>

#include <new>
#include <utility>

namespace dwell::inline v0 {

gathering::gathering(connection_query query, std::uint32_t loops,
                     std::shared_ptr<std::atomic<int>> alive)
    : loop_walk{loops, std::move(alive)},
      query_{std::move(query)},
      parts_(loops, part{best_rows{query_}}) {}

void gathering::look(connection& peer) noexcept {
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

connection_list gathering::take() {
  connection_list list;
  best_rows all{query_};
  list.silent_loops = take_parts([&](std::uint32_t loop) {
    part& each = parts_[loop];
    if (each.failed) return false;
    list.matched += each.matched;
    all.merge(std::move(each.rows));
    return true;
  });
  list.more = all.offered() > query_.limit;
  list.rows = std::move(all).sorted();
  return list;
}

}  // namespace dwell::inline v0
