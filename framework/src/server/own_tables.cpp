// Loops with descriptor tables of their own. Loop 0 keeps the process's, so that what was opened on
// other threads, and closes there, does so for it as well: the listeners above all, which are open
// as long as one table has them.
#include "server/own_tables.hpp"

#include <dwell/connection/offload.hpp>

#include "connection/loop.hpp"
#include "engine/epoll/epoll_engine.hpp"
#include "net/descriptor_table.hpp"
#include "server/core.hpp"
#include "server/signals.hpp"

#include <asio/post.hpp>
#include <spdlog/async_logger.h>

#include <stdexcept>
#include <vector>

namespace dwell::inline v0 {

descriptor_tables server_core::tables() const noexcept {
  return tables_ == nullptr ? descriptor_tables::shared : descriptor_tables::per_loop;
}

/// What cannot work is refused here rather than found out later.
void server_core::make_tables(std::uint64_t room_of_each) {
  if (embedded_) {
    throw std::invalid_argument{
        "tables = per_loop: an embedded server has one loop, on your thread and in your table; "
        "leave it shared"};
  }
  if (dynamic_cast<spdlog::async_logger*>(logger_.get()) == nullptr) {
    throw std::invalid_argument{
        "tables = per_loop: the logger writes from every loop, and what it opens on one is open on "
        "that one only; use a spdlog::async_logger, or none"};
  }
  require_own_tables();
  tables_ = std::make_unique<own_tables>(hosts_.size(), room_of_each);
}

/// Everything that loops share is made by now, and nothing runs on any: so no table gets a copy of
/// another's connections.
void server_core::begin_in_own_tables() {
  tables_->made.wait();
  for (const auto& host : hosts_) host->epoll->accept_at_once(accept_turn::length);
  if (tables_->failure == nullptr) begin();
  tables_->begun.count_down();
  if (tables_->failure == nullptr) return;
  join_threads();
  std::rethrow_exception(tables_->failure);
}

void server_core::run_in_own_table(loop_host& host) {
  try {
    const std::vector<int> listeners = hosts_.front()->epoll->listeners();
    std::vector<int> foreign;
    for (const auto& each : hosts_) {
      if (each.get() != &host) foreign.push_back(each->epoll->set());
    }
    make_own_table(listeners, foreign);
    host.table = current_table();
    host.epoll->share_listeners(*hosts_.front()->epoll);
  } catch (...) {
    tables_->fail(std::current_exception());
  }
  tables_->made.count_down();
  tables_->begun.wait();
  if (tables_->failure == nullptr) host.context->run();
  // The numbers mean nothing on the thread that destroys the server.
  host.epoll->close_listeners();
  host.end_workers();
  host.connections->destroy_all();
  host.context->destroy_handlers();
}

void loop_host::end_workers() {
  if (workers == nullptr) return;
  workers->stop();
  workers->join();
}

/// In a table of its own a loop has workers of its own: they share it, and so what they open is
/// open for the loop.
void server_core::run_off_loop(offload_job& job) {
  // In simulation nothing runs beside the loop: the work is done, in no time, before the next turn.
  if (hosts_.front()->epoll == nullptr) return job.run_and_resume();
  const loop* const asks = tables_ == nullptr ? nullptr : loop::current();
  loop_host& host = *hosts_[asks == nullptr ? 0 : asks->index()];
  std::call_once(host.workers_started, [&] {
    const no_signals scope;
    host.workers = std::make_unique<asio::thread_pool>(static_cast<std::size_t>(options_.workers));
  });
  asio::post(*host.workers, [&job, table = host.table] {
    set_current_table(table);
    job.run_and_resume();
  });
}

// ── whose turn it is to accept ──

bool server_core::has_room(const loop& which, bool first) noexcept {
  if (tables_ == nullptr) return true;
  loop_host& host = *hosts_[which.index()];
  if (first) host.batch = 0;
  if (which.counters().slots + host.batch++ < tables_->room) return true;
  pass_turn(which.index());
  return false;
}

void server_core::accepted_in_turn(loop& here) noexcept {
  if (!tables_->turn.is_of(here.index())) return;  // a drain's last look
  if (tables_->turn.takes_its_last()) pass_turn(here.index());
}

/// On the loop whose turn it is.
void server_core::pass_turn(std::uint32_t from) noexcept {
  accept_turn& turn = tables_->turn;
  if (!turn.is_of(from)) return;
  const std::uint32_t next = next_with_room(from);
  turn.pass_to(next);
  if (next == from) return;
  hosts_[from]->epoll->give_turn(false);
  if (next == accept_turn::nobody) return fill_vacant_turn(from);  // one may have just got room
  give_turn(next);
}

std::uint32_t server_core::next_with_room(std::uint32_t after) const noexcept {
  return tables_->turn.next_after(after, [this](std::uint32_t which) {
    return hosts_[which]->connections->counters().slots < tables_->room;
  });
}

/// On the thread of any loop.
void server_core::fill_vacant_turn(std::uint32_t after) noexcept {
  if (!tables_->turn.is_vacant()) return;
  const std::uint32_t next = next_with_room(after);
  if (next != accept_turn::nobody && tables_->turn.claim_for(next)) give_turn(next);
}

void server_core::give_turn(std::uint32_t to) noexcept {
  epoll_engine* const io = hosts_[to]->epoll;
  hosts_[to]->connections->mail()->order([io](loop&) { io->give_turn(true); });
}

/// One table is full of what is no connection: the others go on accepting.
void server_core::rest_from_accepting(loop& where, duration pause) noexcept {
  const std::uint32_t which = where.index();
  if (!tables_->turn.rest(which)) return;
  where.timers().call_after(pause, [this, which] {
    tables_->turn.wake(which);
    fill_vacant_turn(which);
  });
  pass_turn(which);
}

}  // namespace dwell::inline v0
