#pragma once

#include <dwell/connection/connection.hpp>
#include <dwell/http/response.hpp>
#include <dwell/server/server.hpp>

#include "admin/loop_walk.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace dwell::inline v0 {

/// Asks the loops of a server about their connections. On the admin's loop.
class loop_asker {
 public:
  explicit loop_asker(server& observed) noexcept : observed_{&observed} {}

  server& observed() const noexcept { return *observed_; }
  /// How many there are to ask: none while the server does not run.
  std::uint32_t loops() const noexcept;
  /// 503 while too many questions are unanswered.
  std::optional<http::response> too_busy() const;

  /// Begins to show the connections of all loops to a walk, `Walk{arguments…, loops, alive}`, for
  /// which `asker` will wait no longer than a second.
  template <class Walk, class... Arguments>
  std::shared_ptr<Walk> show_all(connection& asker, Arguments&&... arguments) const {
    auto made = std::make_shared<Walk>(std::forward<Arguments>(arguments)..., loops(), unanswered_);
    if (made->loops() == 0) return made;
    observed_->each([made](connection& peer) { made->see(peer); },
                    [made](std::uint32_t loop) { made->loop_done(loop); });
    stop_in_time(asker, made);
    return made;
  }
  /// The same with one connection, and its loop alone. Null: that loop's mailbox is full.
  template <class Walk, class... Arguments>
  std::shared_ptr<Walk> show_one(connection& asker, connection_id which,
                                 Arguments&&... arguments) const {
    const std::uint32_t asked = which.loop < loops() ? 1 : 0;
    auto made = std::make_shared<Walk>(std::forward<Arguments>(arguments)..., asked, unanswered_);
    if (asked == 0) return made;
    auto end = std::make_shared<at_end>(made);  // also when there is no such connection
    const auto see = [made, end](connection& peer) { made->see(peer); };
    if (!observed_->post(which, see)) return nullptr;
    stop_in_time(asker, made);
    return made;
  }

 private:
  class at_end {
   public:
    explicit at_end(std::shared_ptr<loop_walk> of) noexcept : of_{std::move(of)} {}
    at_end(const at_end&) = delete;
    at_end& operator=(const at_end&) = delete;
    ~at_end() { of_->loop_done(0); }

   private:
    std::shared_ptr<loop_walk> of_;
  };
  static void stop_in_time(connection& asker, const std::shared_ptr<loop_walk>& seen);

  server* observed_;
  /// Walks that a loop still has to answer, those that nobody waits for included.
  std::shared_ptr<std::atomic<int>> unanswered_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace dwell::inline v0
