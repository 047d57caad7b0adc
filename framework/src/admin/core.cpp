#include "admin/core.hpp"

#include <dwell/connection/connection.hpp>
#include <dwell/connection/offload.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/serve.hpp>

#include "admin/access.hpp"
#include "admin/connections_json.hpp"
#include "admin/drain_page.hpp"
#include "admin/gathering.hpp"
#include "admin/kernel_page.hpp"
#include "admin/server_metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace dwell::inline v0 {
namespace {

using namespace std::chrono_literals;

/// How long the loops may take to show their connections.
constexpr duration patience = 1s;
/// Each costs a blocked loop an entry in its mailbox.
constexpr int most_unanswered = 64;

constexpr std::string_view index_text =
    "GET  /connections  open connections, as JSON\n"
    "                   filters: service, phase, state, peer, min_age, min_idle\n"
    "                   sort (-age), limit (100), cursor\n"
    "                   state=held: those that a handler keeps open after the peer's FIN\n"
    "GET  /kernel       connections beside the kernel's sockets, as JSON; format=text: a table\n"
    "GET  /metrics      totals, for Prometheus; kernel=full: the kernel's sockets by state, too\n"
    "GET  /healthz      200 while the process lives\n"
    "GET  /readyz       200, or 503 while the server does not run, or drains\n"
    "GET  /drain        how far a drain is, as JSON\n"
    "POST /drain        drains the server; from this machine, or with the token\n";

/// What is wrong with the admin's connections is said; how they come and go is not: the log is the
/// server's.
std::shared_ptr<spdlog::logger> quieter(spdlog::logger& logger) {
  auto made = logger.clone("admin");
  made->set_level(std::max(made->level(), spdlog::level::warn));
  return made;
}

server_options options_for(const server& observed) {
  if (observed.tables() == descriptor_tables::per_loop && observed.stage() != server_stage::made) {
    throw std::logic_error{
        "admin of a server whose loops have descriptor tables of their own: make it before that "
        "runs, or the loops cannot wake it"};
  }
  // One worker, so that the kernel is asked one question at a time.
  return {.connections = 32,
          .drain = {.deadline = 1s},
          .workers = 1,
          .logger = quieter(observed.logger())};
}

http::response plain(http::status status, std::string text) {
  return {.status = status,
          .body = std::move(text),
          .headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}}};
}

/// What is wrong with the request's parameters; empty: nothing.
std::string read_query(const http::request& request, connection_query& query) {
  std::vector<query_parameter> parameters;
  for (std::string_view rest = request.query(); !rest.empty();) {
    const std::string_view each = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(each.size() + 1, rest.size()));
    const std::string_view name = each.substr(0, each.find('='));
    if (!each.empty()) parameters.push_back({std::string{name}, request.query(name).value_or("")});
  }
  try {
    query = parse_connection_query(parameters);
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return {};
}

/// A page in a browser on this machine, or a proxy there that passes on the requests of others,
/// comes from here and is nobody that may be trusted for it.
bool speaks_for_others(const http::request& request) {
  for (const auto name : {"Origin", "Forwarded", "X-Forwarded-For"}) {
    if (request.header(name)) return true;
  }
  return false;
}

/// The walk outlives the request where a loop takes longer; the timer does not keep it.
void stop_in_time(connection& peer, const std::shared_ptr<loop_walk>& seen) {
  peer.after(patience, [late = std::weak_ptr{seen}](connection&) {
    if (const auto still = late.lock()) still->stop_waiting();
  });
}

bool may_change(const http::request& request, std::string_view token) {
  if (!token.empty()) {
    const auto given = bearer_token(request.header("Authorization").value_or(""));
    if (given && equal_in_constant_time(*given, token)) return true;
  }
  return is_local(request.peer().peer_endpoint()) && !speaks_for_others(request);
}

}  // namespace

admin_core::admin_core(server& observed, admin_options options)
    : observed_{&observed}, options_{std::move(options)}, serves_{options_for(observed)} {
  validate_token(options_.token);
  if (std::ranges::count(options_.collectables, nullptr) != 0) {
    throw std::invalid_argument{"admin_options.collectables: one of them is null; leave it out"};
  }
  const http::options small{.body = 1'024};
  endpoint_ = serves_.serve(
      {.name = "admin", .listen = options_.listen, .deadlines = {.idle = 2min, .handle = 5s}},
      http::serve(routes(), small));
  serves_.start();
}

/// The answer to what has ended the program may still be on its way.
admin_core::~admin_core() {
  serves_.drain();
  serves_.wait();
}

http::router admin_core::routes() {
  http::router made;
  made.get("/", [this](const http::request&) { return index(); });
  made.get("/connections", [this](const http::request& request) { return connections(request); });
  made.get("/kernel", [this](const http::request& request) { return kernel(request); });
  made.get("/metrics", [this](const http::request& request) { return metrics(request); });
  made.get("/healthz", [this](const http::request&) { return health(); });
  made.get("/readyz", [this](const http::request&) { return readiness(); });
  made.get("/drain", [this](const http::request&) { return drain_state(); });
  made.post("/drain", [this](const http::request& request) { return drain(request); });
  return made;
}

http::response admin_core::index() const {
  return plain(http::status::ok, std::string{index_text});
}

task<http::response> admin_core::connections(const http::request& request) const {
  connection_query query;
  if (const std::string wrong = read_query(request, query); !wrong.empty()) {
    co_return plain(http::status::bad_request, wrong + '\n');
  }
  if (auto busy = too_busy()) co_return std::move(*busy);
  const auto seen =
      walk(std::make_shared<gathering>(std::move(query), loops_to_ask(), unanswered_));
  stop_in_time(request.peer(), seen);
  loops_answered answered{*seen};
  co_await answered;
  http::response made = plain(http::status::ok, to_json(seen->take(), seen->query()));
  made.content_type = "application/json";
  co_return made;
}

std::uint32_t admin_core::loops_to_ask() const noexcept {
  const server_stage stage = observed_->stage();
  const bool runs = stage == server_stage::running || stage == server_stage::draining;
  return runs ? observed_->loops() : 0;
}

template <class Walk>
std::shared_ptr<Walk> admin_core::walk(std::shared_ptr<Walk> made) const {
  if (made->loops() == 0) return made;
  observed_->each([made](connection& peer) { made->see(peer); },
                  [made](std::uint32_t loop) { made->loop_done(loop); });
  return made;
}

std::optional<http::response> admin_core::too_busy() const {
  if (unanswered_->load() < most_unanswered) return std::nullopt;
  return plain(http::status::service_unavailable,
               "a loop has yet to answer earlier requests; dwell_loop_longest_turn_seconds "
               "in /metrics says for how long\n");
}

task<http::response> admin_core::kernel(const http::request& request) const {
  const std::string format = request.query("format").value_or("json");
  if (format != "json" && format != "text") {
    co_return plain(http::status::bad_request, "format \"" + format + "\": use json, text\n");
  }
  if (auto busy = too_busy()) co_return std::move(*busy);
  kernel_page page{.services = observed_->services(), .seen = {}, .kernel = {}};
  const auto seen =
      walk(std::make_shared<census>(page.services.size(), loops_to_ask(), unanswered_));
  stop_in_time(request.peer(), seen);
  loops_answered answered{*seen};
  co_await answered;
  page.seen = seen->take();
  page.services = observed_->services();  // as late as the rest
  page.services.resize(page.seen.services.size());
  auto ask = [this, &page] { page.kernel = kernel_->about_ports(page.services); };
  co_await offload(ask);
  if (format == "text") co_return plain(http::status::ok, to_text(page));
  http::response made = plain(http::status::ok, to_json(page));
  made.content_type = "application/json";
  co_return made;
}

http::response admin_core::health() const { return plain(http::status::ok, "ok\n"); }

http::response admin_core::readiness() const {
  switch (observed_->stage()) {
    case server_stage::made:
      return plain(http::status::service_unavailable, "the server does not run yet\n");
    case server_stage::running: return plain(http::status::ok, "ready\n");
    case server_stage::draining:
      return plain(http::status::service_unavailable, "the server is draining\n");
    case server_stage::ended: break;
  }
  return plain(http::status::service_unavailable, "the server has ended\n");
}

task<http::response> admin_core::metrics(const http::request& request) const {
  const std::string asked = request.query("kernel").value_or("");
  if (!asked.empty() && asked != "full") {
    co_return plain(http::status::bad_request, "kernel \"" + asked + "\": use full\n");
  }
  const std::vector<service_status> services = observed_->services();
  kernel_facts kernel;
  auto ask = [this, &asked, &services, &kernel] {
    kernel = asked.empty() ? kernel_->about_network() : kernel_->about_ports(services);
  };
  co_await offload(ask);
  auto families = metrics_of(*observed_);
  std::ranges::move(metrics_of(observed_->draining()), std::back_inserter(families));
  std::ranges::move(metrics_of(kernel, services), std::back_inserter(families));
  for (const auto& each : options_.collectables)
    std::ranges::move(each->Collect(), std::back_inserter(families));
  http::response made = plain(http::status::ok, prometheus::TextSerializer{}.Serialize(families));
  made.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return made;
}

http::response admin_core::drain_state() const {
  http::response made = plain(http::status::ok, to_json(observed_->draining()));
  made.content_type = "application/json";
  return made;
}

http::response admin_core::drain(const http::request& request) const {
  if (!may_change(request, options_.token)) {
    return plain(
        http::status::forbidden,
        options_.token.empty()
            ? "only clients on this machine may drain, no web pages or proxies; others need "
              "admin_options.token\n"
            : "only clients on this machine may drain, no web pages or proxies; others need "
              "Authorization: Bearer and the token\n");
  }
  const server_stage before = observed_->stage();
  observed_->drain();
  switch (before) {
    case server_stage::made: return plain(http::status::conflict, "the server does not run yet\n");
    case server_stage::ended: return plain(http::status::ok, "the server has ended\n");
    default: return plain(http::status::accepted, "draining\n");
  }
}

}  // namespace dwell::inline v0
