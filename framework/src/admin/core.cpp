#include "admin/core.hpp"

#include <dwell/connection/offload.hpp>
#include <dwell/http/request.hpp>
#include <dwell/http/serve.hpp>

#include "admin/connections_json.hpp"
#include "admin/drain_page.hpp"
#include "admin/gathering.hpp"
#include "admin/kernel_page.hpp"
#include "admin/page_reply.hpp"
#include "admin/query_parameter.hpp"
#include "admin/replies.hpp"
#include "admin/server_metrics.hpp"
#include "admin/status_json.hpp"
#include "admin/survey.hpp"

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

constexpr std::string_view index_text =
    "GET  /             this; for a browser a page that shows the rest\n"
    "GET  /connections  open connections, as JSON\n"
    "                   filters: service, phase, state, peer, min_age, min_idle\n"
    "                   sort (-age), limit (100), cursor\n"
    "                   state=held: those that a handler keeps open after the peer's FIN\n"
    "GET  /status       all of them together, what they have done, and whose deadline is next\n"
    "GET  /kernel       connections beside the kernel's sockets, as JSON; format=text: a table\n"
    "GET  /metrics      totals, for Prometheus; kernel=full: the kernel's sockets by state, too\n"
    "GET  /healthz      200 while the process lives\n"
    "GET  /readyz       200, or 503 while the server does not run, or drains\n"
    "GET  /drain        how far a drain is, as JSON\n"
    "GET  /log          the log level\n"
    "GET  /limits       how many connections are let in\n"
    "\n"
    "From this machine, or with the token:\n"
    "POST /drain        drains the server\n"
    "POST /close        closes connections: id=0.1.2, or filters as above; method (graceful)\n"
    "POST /log          level=debug; for=5min\n"
    "POST /limits       connections=5000\n";

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

/// What is wrong with the request's parameters; empty: nothing.
std::string read_query(const http::request& request, connection_query& query) {
  try {
    query = parse_connection_query(parameters_of(request));
  } catch (const std::invalid_argument& wrong) {
    return wrong.what();
  }
  return {};
}

}  // namespace

admin_core::admin_core(server& observed, admin_options options)
    : observed_{&observed},
      options_{std::move(options)},
      loops_{observed},
      operations_{loops_, options_.token},
      serves_{options_for(observed)} {
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
  made.get("/", [this](const http::request& request) { return index(request); })
      .get("/connections", [this](const http::request& request) { return connections(request); })
      .get("/kernel", [this](const http::request& request) { return kernel(request); })
      .get("/status", [this](const http::request& request) { return status(request); })
      .get("/metrics", [this](const http::request& request) { return metrics(request); })
      .get("/healthz", [this](const http::request&) { return health(); })
      .get("/readyz", [this](const http::request&) { return readiness(); })
      .get("/drain", [this](const http::request&) { return drain_state(); });
  operations& change = operations_;
  made.post("/drain", [&change](const http::request& request) { return change.drain(request); })
      .post("/close", [&change](const http::request& request) { return change.close(request); })
      .post("/log", [&change](const http::request& request) { return change.set_level(request); })
      .get("/log", [&change](const http::request& request) { return change.level(request); })
      .post("/limits",
            [&change](const http::request& request) { return change.set_limits(request); })
      .get("/limits", [&change](const http::request& request) { return change.limits(request); });
  return made;
}

http::response admin_core::index(const http::request& request) const {
  if (wants_page(request)) {
    return page_reply(operations_.page_secret_for(request), !options_.token.empty());
  }
  http::response made = plain(http::status::ok, std::string{index_text});
  made.headers.push_back({"Vary", "Accept"});
  return made;
}

task<http::response> admin_core::connections(const http::request& request) const {
  connection_query query;
  if (const std::string wrong = read_query(request, query); !wrong.empty()) {
    co_return plain(http::status::bad_request, wrong + '\n');
  }
  if (auto busy = loops_.too_busy()) co_return std::move(*busy);
  const auto seen = loops_.show_all<gathering>(request.peer(), std::move(query));
  loops_answered answered{*seen};
  co_await answered;
  co_return as_json(to_json(seen->take(), seen->query()));
}

task<http::response> admin_core::status(const http::request& request) const {
  if (auto busy = loops_.too_busy()) co_return std::move(*busy);
  const auto seen = loops_.show_all<survey>(request.peer(), observed_->services().size());
  loops_answered answered{*seen};
  co_await answered;
  co_return as_json(status_json(*observed_, seen->take(), operations_.log(), request.peer()));
}

task<http::response> admin_core::kernel(const http::request& request) const {
  const std::string format = request.query("format").value_or("json");
  if (format != "json" && format != "text") {
    co_return plain(http::status::bad_request, "format \"" + format + "\": use json, text\n");
  }
  if (auto busy = loops_.too_busy()) co_return std::move(*busy);
  kernel_page page{.services = observed_->services(), .seen = {}, .kernel = {}};
  const auto seen = loops_.show_all<census>(request.peer(), page.services.size());
  loops_answered answered{*seen};
  co_await answered;
  page.seen = seen->take();
  page.services = observed_->services();  // as late as the rest
  page.services.resize(page.seen.services.size());
  auto ask = [this, &page] { page.kernel = kernel_->about_ports(page.services); };
  co_await offload(ask);
  if (format == "text") co_return plain(http::status::ok, to_text(page));
  co_return as_json(to_json(page));
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

}  // namespace dwell::inline v0
