#pragma once

#include "admin/connection_facts.hpp"
#include "admin/query_parameter.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dwell::inline v0 {

/// What the connections are sorted by.
enum class connection_order : std::uint8_t {
  id,
  age,
  idle,
  deadline,
  received,
  sent,
  queued,
  exchanges,
};

/// A connection's place in an order. Time does not move it: it stands for when a connection came,
/// not for how old it is, so that pages fit together.
struct position {
  std::int64_t key = 0;
  connection_id id;

  friend constexpr auto operator<=>(const position&, const position&) = default;
};

/// Which connections are shown, in which order, and from where on.
struct connection_query {
  static constexpr std::size_t most_rows = 1'000;

  std::optional<std::string> service;
  std::optional<dwell::phase> phase;
  std::optional<connection_state> state;
  std::string peer;  ///< how the text of its endpoint begins
  duration min_age{0};
  duration min_idle{0};
  connection_order order = connection_order::age;
  bool descending = true;
  std::size_t limit = 100;
  std::optional<position> after;  ///< nullopt: from the first

  /// All conditions but that on `peer`.
  bool takes(const connection_facts& of) const noexcept;
  /// All conditions. On the connection's loop; false when there is no memory for the text.
  bool takes(const connection& of) const noexcept;
  position position_of(const connection_facts& of) const noexcept;
  bool comes_before(const position& a, const position& b) const noexcept {
    return descending ? b < a : a < b;
  }
};

/// Throws std::invalid_argument, naming the parameter and the fix.
connection_query parse_connection_query(std::span<const query_parameter> parameters);

/// "loop.slot.generation"; nullopt: it is something else.
std::optional<connection_id> parse_connection_id(std::string_view text) noexcept;

/// What `cursor` is for the page that follows a row.
std::string cursor_after(const connection_query& query, const position& last);

}  // namespace dwell::inline v0
