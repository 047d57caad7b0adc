// What docs/admin.md shows, run.
#include <dwell/admin/admin.hpp>
#include <dwell/dwell.hpp>

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

// snippet: bind
dwell::task<> echo(dwell::connection& peer) {
  while (auto data = co_await peer.read()) co_await peer.write(data);
}

void serve(const dwell::endpoint& where) {
  dwell::server server{{.listen = where, .deadlines = {.idle = 60s}}, echo};
  dwell::admin admin{server, {.listen = {.address = "127.0.0.1", .port = 9901}}};
  server.run();
}  // the admin goes first, then the server
// end snippet

dwell::admin_options from_the_environment() {
  // snippet: token
  const char* const token = std::getenv("ADMIN_TOKEN");
  if (token == nullptr) throw std::runtime_error{"set ADMIN_TOKEN"};
  dwell::admin_options options{.listen = {.address = "10.0.0.5", .port = 9901}, .token = token};
  // end snippet
  return options;
}

// snippet: own
struct job_metrics {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Counter& done =
      prometheus::BuildCounter().Name("jobs_total").Help("Jobs.").Register(*registry).Add({});
};

dwell::admin_options showing(const job_metrics& jobs) { return {.collectables = {jobs.registry}}; }
// end snippet

TEST(admin_page, shows_code_that_runs) {
  EXPECT_NE(&serve, nullptr);
  ::setenv("ADMIN_TOKEN", "secret", 1);
  EXPECT_EQ(from_the_environment().token, "secret");
  job_metrics jobs;
  jobs.done.Increment();
  dwell::server server{{.listen = {.address = "127.0.0.1"}}, echo};
  dwell::admin_options options = showing(jobs);
  options.listen.port = 0;
  const dwell::admin admin{server, options};
  EXPECT_NE(admin.endpoint().port, 0);
}

}  // namespace
