#pragma once

#include <dwell/closing/close_plan.hpp>

#include "admin/connection_query.hpp"
#include "admin/loop_walk.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace dwell::inline v0 {

/// Closes the connections that a query takes: `drain` is the reason, since the server lets go of
/// them because its operator wants it to. Those whose end is decided already end as they were to.
class closing_walk final : public loop_walk {
 public:
  closing_walk(connection_query which, std::optional<close_method> method, std::uint32_t loops,
               std::shared_ptr<std::atomic<int>> alive)
      : loop_walk{loops, std::move(alive)}, which_{std::move(which)}, method_{method} {}

  struct result {
    std::uint64_t closed = 0;
    std::vector<std::uint32_t> silent_loops;
  };
  /// Once. Loops that have not answered by now close nobody any more.
  result take();

 private:
  void look(connection& peer) noexcept override;

  const connection_query which_;
  const std::optional<close_method> method_;
  std::atomic<std::uint64_t> closed_{0};
};

}  // namespace dwell::inline v0
