#pragma once

#include "admin/best_rows.hpp"
#include "admin/connection_query.hpp"
#include "admin/loop_walk.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace dwell::inline v0 {

/// What the loops have shown so far.
struct connection_list {
  std::vector<connection_row> rows;
  std::uint64_t matched = 0;  ///< whatever the cursor and the limit
  bool more = false;          ///< rows follow the last one
  std::vector<std::uint32_t> silent_loops;
};

/// Collects the connections that a query asks for.
class gathering final : public loop_walk {
 public:
  gathering(connection_query query, std::uint32_t loops, std::shared_ptr<std::atomic<int>> alive);

  const connection_query& query() const noexcept { return query_; }
  /// Once.
  connection_list take();

 private:
  struct part {
    best_rows rows;
    std::uint64_t matched = 0;
    bool failed = false;  // no memory
  };
  void look(connection& peer) noexcept override;

  const connection_query query_;
  std::vector<part> parts_;
};

}  // namespace dwell::inline v0
