#pragma once

#include <dwell/connection/suspension.hpp>

#include "admin/best_rows.hpp"
#include "admin/connection_query.hpp"

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace dwell::inline v0 {

class connection;
class loops_answered;

/// What the loops have shown so far.
struct connection_list {
  std::vector<connection_row> rows;
  std::uint64_t matched = 0;  ///< whatever the cursor and the limit
  bool more = false;          ///< rows follow the last one
  std::vector<std::uint32_t> silent_loops;
};

/// Collects the connections that a query asks for, from all loops at the same time. Each loop
/// writes to a part of its own, which is looked at once the loop has shown everything; who waits
/// for that may give up. Shared with the loops, so that a late one finds it.
class gathering {
 public:
  /// `alive` counts those that are not destroyed yet.
  gathering(connection_query query, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive);
  ~gathering() { --*alive_; }
  gathering(const gathering&) = delete;
  gathering& operator=(const gathering&) = delete;

  const connection_query& query() const noexcept { return query_; }

  // ── on the loops ──
  void see(const connection& peer) noexcept;
  void loop_done(std::uint32_t loop) noexcept;

  // ── where the answer is put together ──
  /// Nobody waits any longer.
  void stop_waiting() noexcept;
  /// Of the loops that have answered; once. What others show from now on is not kept.
  connection_list take();

 private:
  friend loops_answered;
  struct part {
    best_rows rows;
    std::uint64_t matched = 0;
    bool failed = false;  // no memory
    bool done = false;
  };
  bool wait(loops_answered& waiter) noexcept;
  bool forget(loops_answered& waiter) noexcept;
  void wake() noexcept;

  const connection_query query_;
  std::vector<part> parts_;
  std::shared_ptr<std::atomic<int>> alive_;
  std::atomic<bool> over_{false};

  std::mutex mutex_;
  std::size_t loops_left_;
  loops_answered* waiter_ = nullptr;
};

/// Awaited: all loops have answered, or stop_waiting() was called, or the connection has ended.
class [[nodiscard]] loops_answered final : suspension {
 public:
  explicit loops_answered(gathering& of) noexcept : of_{&of} {}
  ~loops_answered() override { of_->forget(*this); }
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<task_promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) noexcept {
    suspend(waiter);
    if (of_->wait(*this)) return true;
    give_up();
    return false;
  }
  void await_resume() const noexcept {}

 private:
  friend gathering;
  void connection_ended() override {
    if (of_->forget(*this)) resume_ended();
  }

  gathering* of_;
};

}  // namespace dwell::inline v0
