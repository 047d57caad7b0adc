#include "admin/connection_query.hpp"

#include <dwell/connection/connection.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace dwell::inline v0 {
namespace {

constexpr std::array<std::string_view, 8> order_names{"id",       "age",  "idle",   "deadline",
                                                      "received", "sent", "queued", "exchanges"};
constexpr std::array<std::string_view, 6> phase_names{
    to_string(phase::handshake), to_string(phase::idle),  to_string(phase::read),
    to_string(phase::handle),    to_string(phase::write), to_string(phase::close)};
constexpr std::array<std::string_view, connection_state_count> state_names{
    to_string(connection_state::open), to_string(connection_state::peer_closed),
    to_string(connection_state::held), to_string(connection_state::closing)};

std::size_t read_limit(const query_parameter& given) {
  std::size_t limit = 0;
  if (!read_number(given.value, limit) || limit < 1 || limit > connection_query::most_rows) {
    refuse(given, "a whole number, 1 to " + std::to_string(connection_query::most_rows));
  }
  return limit;
}

void read_order(const query_parameter& given, connection_query& query) {
  std::string_view name = given.value;
  query.descending = name.starts_with('-');
  if (query.descending) name.remove_prefix(1);
  query.order = one_of<connection_order>(order_names, given, name, "; - in front for descending");
}

std::string order_text(const connection_query& query) {
  return std::string{query.descending ? "-" : ""}.append(
      order_names[static_cast<std::size_t>(query.order)]);
}

/// "order:key:id"
std::optional<position> read_cursor(std::string_view text, std::string_view order) noexcept {
  const auto next = [&text] {
    const std::size_t size = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    return part;
  };
  position read;
  if (next() != order || !read_number(next(), read.key)) return std::nullopt;
  const auto id = parse_connection_id(text);
  if (!id) return std::nullopt;
  read.id = *id;
  return read;
}

void apply(const query_parameter& given, connection_query& query, const query_parameter*& cursor) {
  if (given.name == "service") {
    query.service = given.value;
  } else if (given.name == "phase") {
    query.phase = one_of<phase>(phase_names, given, given.value);
  } else if (given.name == "state") {
    query.state = one_of<connection_state>(state_names, given, given.value);
  } else if (given.name == "peer") {
    query.peer = given.value;
  } else if (given.name == "min_age") {
    query.min_age = read_time(given);
  } else if (given.name == "min_idle") {
    query.min_idle = read_time(given);
  } else if (given.name == "sort") {
    read_order(given, query);
  } else if (given.name == "limit") {
    query.limit = read_limit(given);
  } else if (given.name == "cursor") {
    cursor = &given;
  } else {
    refuse_name(given, "service, phase, state, peer, min_age, min_idle, sort, limit, cursor");
  }
}

std::int64_t as_key(std::uint64_t count) noexcept {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  return count > static_cast<std::uint64_t>(most) ? most : static_cast<std::int64_t>(count);
}

}  // namespace

bool connection_query::takes(const connection_facts& of) const noexcept {
  return (!service || *service == of.service) && (!phase || *phase == of.phase) &&
         (!state || *state == of.state) && of.age >= min_age && of.idle >= min_idle;
}

bool connection_query::takes(const connection& of) const noexcept {
  if (!takes(facts_of(of))) return false;
  if (peer.empty()) return true;
  try {
    return to_string(of.peer_endpoint()).starts_with(peer);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

position connection_query::position_of(const connection_facts& of) const noexcept {
  const auto key = [&]() -> std::int64_t {
    switch (order) {
      case connection_order::id: return 0;
      case connection_order::age: return (of.age - of.now).count();
      case connection_order::idle: return (of.idle - of.now).count();
      case connection_order::deadline:
        return of.time_left ? (of.now + *of.time_left).count()
                            : std::numeric_limits<std::int64_t>::max();
      case connection_order::received: return as_key(of.received);
      case connection_order::sent: return as_key(of.sent);
      case connection_order::queued: return as_key(of.queued);
      case connection_order::exchanges: return as_key(of.exchanges);
    }
    return 0;
  };
  return {key(), of.id};
}

std::optional<connection_id> parse_connection_id(std::string_view text) noexcept {
  const auto next = [&text] {
    const std::size_t size = std::min(text.find('.'), text.size());
    const std::string_view part = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    return part;
  };
  connection_id id;
  const bool read = read_number(next(), id.loop) && read_number(next(), id.slot) &&
                    read_number(text, id.generation);
  return read ? std::optional{id} : std::nullopt;
}

connection_query parse_connection_query(std::span<const query_parameter> parameters) {
  connection_query query;
  const query_parameter* cursor = nullptr;
  refuse_repeated(parameters);
  for (const query_parameter& given : parameters) apply(given, query, cursor);
  if (cursor == nullptr) return query;
  query.after = read_cursor(cursor->value, order_text(query));  // sort may have come after it
  if (!query.after) refuse(*cursor, "what \"next\" said, with the same sort");
  return query;
}

std::string cursor_after(const connection_query& query, const position& last) {
  return order_text(query) + ':' + std::to_string(last.key) + ':' + to_string(last.id);
}

}  // namespace dwell::inline v0
