#pragma once

#include "admin/connection_query.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwell::inline v0 {

struct connection_row {
  position at;
  connection_facts facts;
  std::string peer;
};

/// The first rows of an order among any number that are offered: memory for `limit` of them.
class best_rows {
 public:
  explicit best_rows(const connection_query& query) noexcept : query_{&query} {}

  /// Whether a row at `at` is among the first so far. Counts it if it comes after the cursor.
  bool offer(const position& at) noexcept;
  /// One that offer() took. Throws std::bad_alloc.
  void add(connection_row row);

  /// Takes over what another has found, which is then of no more use.
  void merge(best_rows&& other);
  /// In order. It is then of no more use.
  std::vector<connection_row> sorted() &&;

  /// After the cursor, whether they are kept or not.
  std::uint64_t offered() const noexcept { return offered_; }

 private:
  bool has_place_for(const position& at) const noexcept;

  const connection_query* query_;
  std::vector<connection_row> rows_;  // a heap with the last one of them on top
  std::uint64_t offered_ = 0;
};

}  // namespace dwell::inline v0
