#pragma once

#include "admin/best_rows.hpp"
#include "admin/census.hpp"
#include "admin/loop_walk.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dwell::inline v0 {

/// Connections by how long they have been idle.
class idle_histogram {
 public:
  /// Seconds: up to each of them, and more than the last.
  static constexpr std::array<std::uint32_t, 11> bounds{1,  2,   5,   10,  20,   30,
                                                        60, 120, 300, 900, 3'600};

  void add(duration idle) noexcept;
  void add(const idle_histogram& other) noexcept;
  const std::array<std::uint64_t, bounds.size() + 1>& counts() const noexcept { return counts_; }

 private:
  std::array<std::uint64_t, bounds.size() + 1> counts_{};
};

/// What a person wants to see first, from one look at each connection: the census, how long they
/// have been idle, and whose deadline is next among those whose end is not decided.
class survey final : public loop_walk {
 public:
  static constexpr std::size_t next_shown = 6;

  survey(std::size_t services, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive);

  struct result {
    std::vector<service_census> services;
    idle_histogram idle;
    std::vector<connection_row> next_due;
    std::vector<std::uint32_t> silent_loops;
  };
  /// Once.
  result take();

 private:
  struct part {
    std::vector<service_census> services;
    idle_histogram idle;
    best_rows next_due;
  };
  void look(connection& peer) noexcept override;

  std::size_t services_;
  connection_query by_deadline_;
  std::vector<part> parts_;
};

}  // namespace dwell::inline v0
