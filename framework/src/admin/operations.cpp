#include "admin/operations.hpp"

#include <dwell/connection/connection.hpp>
#include <dwell/server/server.hpp>

#include "admin/closing_walk.hpp"
#include "admin/json_text.hpp"
#include "admin/query_parameter.hpp"
#include "admin/replies.hpp"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dwell::inline v0 {
namespace {

constexpr std::array<std::string_view, close_method_count> method_names{
    to_string(close_method::graceful), to_string(close_method::peer_first),
    to_string(close_method::abort_after_fin), to_string(close_method::abort)};

claims claims_of(const http::request& request) {
  return {.local = is_local(request.peer().peer_endpoint()),
          .forwarded = request.header("Forwarded") || request.header("X-Forwarded-For"),
          .authorization = request.header("Authorization"),
          .origin = request.header("Origin"),
          .host = request.header("Host").value_or(""),
          .page = request.header("Dwell-Page")};
}

struct closing_order {
  std::optional<connection_id> id;
  connection_query which;
  std::optional<close_method> method;
};

closing_order read_closing_order(const http::request& request) {
  constexpr std::string_view known =
      "id, or service, phase, state, peer, min_age, min_idle; and method";
  closing_order order;
  std::vector<query_parameter> filters;
  const std::vector<query_parameter> parameters = parameters_of(request);
  refuse_repeated(parameters);
  for (const query_parameter& given : parameters) {
    if (given.name == "id") {
      order.id = parse_connection_id(given.value);
      if (!order.id) refuse(given, "what /connections shows: loop.slot.generation");
    } else if (given.name == "method") {
      order.method = one_of<close_method>(method_names, given, given.value);
    } else if (given.name == "sort" || given.name == "limit" || given.name == "cursor") {
      refuse_name(given, known);
    } else if (given.name == "peer" && given.value.empty()) {
      refuse(given, "how their address begins, or leave it out: every address begins so");
    } else {
      filters.push_back(given);
    }
  }
  order.which = parse_connection_query(filters);
  if (order.id && !filters.empty()) {
    throw std::invalid_argument{"id and " + filters.front().name + ": use one of the two"};
  }
  if (!order.id && filters.empty()) {
    throw std::invalid_argument{std::string{"whom? Use "}.append(known)};
  }
  return order;
}

struct level_order {
  std::optional<log_level::level> to;
  std::optional<duration> for_so_long;
};

level_order read_level_order(const http::request& request) {
  level_order order;
  const std::vector<query_parameter> parameters = parameters_of(request);
  refuse_repeated(parameters);
  for (const query_parameter& given : parameters) {
    if (given.name == "level") {
      order.to = read_level(given);
    } else if (given.name == "for") {
      order.for_so_long = read_time(given);
      if (order.for_so_long == duration{0} || *order.for_so_long > longest_loan) {
        refuse(given, "1ms to 24h");
      }
    } else {
      refuse_name(given, "level, for");
    }
  }
  if (!order.to) throw std::invalid_argument{"level: which? Use level=debug, say; and for=5min"};
  return order;
}

std::uint64_t read_connections(const http::request& request) {
  std::uint64_t connections = 0;
  const std::vector<query_parameter> parameters = parameters_of(request);
  refuse_repeated(parameters);
  for (const query_parameter& given : parameters) {
    if (given.name != "connections") refuse_name(given, "connections");
    if (!read_number(given.value, connections) || connections == 0) {
      refuse(given, "a whole number, at least 1");
    }
  }
  if (connections == 0) throw std::invalid_argument{"what? Use connections=5000, say"};
  return connections;
}

http::response wrong(const std::invalid_argument& complaint) {
  return plain(http::status::bad_request, std::string{complaint.what()} + '\n');
}

}  // namespace

operations::operations(const loop_asker& loops, std::string token)
    : loops_{&loops}, token_{std::move(token)}, level_{loops.observed().logger()} {
  validate_token(token_);
}

authority operations::who(const http::request& request) const {
  return authority_of(claims_of(request), token_, page_secret_);
}

std::optional<std::string_view> operations::page_secret_for(const http::request& request) const {
  const claims made = claims_of(request);
  if (!made.local || made.forwarded || !is_address_or_localhost(made.host)) return std::nullopt;
  return page_secret_;
}

std::optional<http::response> operations::refusal(const http::request& request) const {
  if (who(request) != authority::none) return std::nullopt;
  return plain(
      http::status::forbidden,
      token_.empty()
          ? "only clients on this machine may change something, no other web pages or proxies; "
            "others need admin_options.token\n"
          : "only clients on this machine may change something, no other web pages or proxies; "
            "others need Authorization: Bearer and the token\n");
}

/// The target as it was sent: percent-encoded, so that nobody writes lines of his own.
void operations::say(const http::request& request, const std::string& what) const noexcept {
  try {
    loops_->observed().logger().warn("admin: {}; asked by {} ({}): POST {}", what,
                                     to_string(request.peer().peer_endpoint()),
                                     to_string(who(request)), request.target());
  } catch (const std::exception&) {  // no memory for a log line is no reason to stop
  }
}

http::response operations::drain(const http::request& request) {
  if (auto refused = refusal(request)) return std::move(*refused);
  server& observed = loops_->observed();
  switch (observed.stage()) {
    case server_stage::made: return plain(http::status::conflict, "the server does not run yet\n");
    case server_stage::ended: return plain(http::status::ok, "the server has ended\n");
    case server_stage::draining: return plain(http::status::accepted, "draining\n");
    case server_stage::running: break;
  }
  say(request, "drain");
  observed.drain();
  return plain(http::status::accepted, "draining\n");
}

task<http::response> operations::close(const http::request& request) {
  if (auto refused = refusal(request)) co_return std::move(*refused);
  closing_order order;
  std::string complaint;
  try {
    order = read_closing_order(request);
  } catch (const std::invalid_argument& found) {
    complaint = std::string{found.what()} + '\n';
  }
  if (!complaint.empty()) co_return plain(http::status::bad_request, std::move(complaint));
  if (auto busy = loops_->too_busy()) co_return std::move(*busy);
  connection& asker = request.peer();
  const auto seen =
      order.id ? loops_->show_one<closing_walk>(asker, *order.id, order.which, order.method)
               : loops_->show_all<closing_walk>(asker, order.which, order.method);
  if (seen == nullptr) {
    co_return plain(http::status::service_unavailable,
                    "the connection's loop takes no orders now: its mailbox is full\n");
  }
  loops_answered answered{*seen};
  co_await answered;
  closing_walk::result result = seen->take();
  if (order.id && !result.silent_loops.empty()) result.silent_loops = {order.id->loop};
  say(request, std::to_string(result.closed) + " connections closed");
  nlohmann::ordered_json made;
  made["closed"] = result.closed;
  made["partial"] = !result.silent_loops.empty();
  made["silent_loops"] = std::move(result.silent_loops);
  co_return as_json(json_text(made) + '\n');
}

http::response operations::set_level(const http::request& request) {
  if (auto refused = refusal(request)) return std::move(*refused);
  level_order order;
  try {
    order = read_level_order(request);
  } catch (const std::invalid_argument& found) {
    return wrong(found);
  }
  // On whichever side of the change shows more.
  const bool shows_less = *order.to > loops_->observed().logger().level();
  if (shows_less) say(request, "log level");
  level_.set(*order.to, order.for_so_long, request.peer());
  if (!shows_less) say(request, "log level");
  return level(request);
}

http::response operations::level(const http::request& request) const {
  return as_json(json_text(level_.describe(request.peer())) + '\n');
}

http::response operations::set_limits(const http::request& request) {
  if (auto refused = refusal(request)) return std::move(*refused);
  try {
    const std::uint64_t now = loops_->observed().set_connections(read_connections(request));
    say(request, "at most " + std::to_string(now) + " connections");
  } catch (const std::invalid_argument& found) {
    return wrong(found);
  }
  return limits(request);
}

http::response operations::limits(const http::request&) const {
  const server& observed = loops_->observed();
  nlohmann::ordered_json made;
  made["connections"] = observed.capacity();
  made["open"] = observed.counts().live;
  return as_json(json_text(made) + '\n');
}

}  // namespace dwell::inline v0
