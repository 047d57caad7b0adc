// Whole runs against servers in this process.

#include <dwell/dwell.hpp>
#include <dwell/http.hpp>

#include "interrupt.hpp"
#include "result_json.hpp"
#include "run.hpp"
#include "schedule.hpp"
#include "window.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <numeric>

namespace load {
namespace {

using namespace std::chrono_literals;

class own_service {
 public:
  own_service(const dwell::service_options& options, const dwell::handler& what)
      : server_{{.logger = std::make_shared<spdlog::logger>("quiet")}} {
    port_ = server_.serve(options, what).port;
    server_.start();
  }
  ~own_service() { stop(); }
  own_service(const own_service&) = delete;
  own_service& operator=(const own_service&) = delete;

  std::uint16_t port() const { return port_; }
  void stop() {
    server_.stop();
    server_.wait();
  }

 private:
  dwell::server server_;
  std::uint16_t port_;
};

dwell::service_options local() { return {.listen = dwell::parse_endpoint("127.0.0.1:0")}; }

dwell::handler on_data(std::function<void(dwell::connection&, dwell::bytes)> what) {
  return dwell::callbacks<>{
      .on_data = [what](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        what(peer, data);
        return data.size();
      }};
}

const dwell::handler echo =
    on_data([](dwell::connection& peer, dwell::bytes data) { peer.send(data); });

dwell::handler site(dwell::http::status status = dwell::http::status::ok) {
  dwell::http::router routes;
  routes.get("/", [status](const dwell::http::request&) {
    return dwell::http::response{.status = status, .body = "hello\n"};
  });
  return dwell::http::serve(std::move(routes));
}

/// Short and slow enough for a debugger's build on a busy machine.
plan small(const own_service& on, protocol what = protocol::echo) {
  plan of;
  of.protocol = what;
  of.port = on.port();
  of.connections = 8;
  of.rate = 400;
  of.warmup = 5ms;  // fewer are due in it than there are connections
  of.duration = 195ms;
  return of;
}

std::uint64_t failures(const run_result& of) {
  std::uint64_t sum = 0;
  for (const auto& [what, count] : of.errors) sum += count;
  return sum;
}

std::uint64_t due_by_schedule(const plan& of) {
  const window seconds{of};
  std::uint64_t count = 0;
  for (std::uint32_t thread = 0; thread < of.threads; ++thread) {
    for (schedule each{of, thread}; each.due() < seconds.end(); each.next()) {
      count += each.due() >= seconds.measured_from() ? 1U : 0U;
    }
  }
  return count;
}

/// What is true of every run.
void expect_consistent(const run_result& of) {
  SCOPED_TRACE(to_json(of)["plan"].dump() + to_json(of)["errors"].dump());
  EXPECT_GE(of.due, of.sent + of.unsent);
  EXPECT_EQ(of.latencies.naive.count(), of.answered);
  EXPECT_LE(of.latencies.request.count(), of.due);
  EXPECT_GE(of.latencies.request.max(), of.latencies.naive.max());
  std::uint64_t answered = 0, due = 0;
  for (const second& each : of.seconds) {
    if (each.warmup) continue;
    answered += each.answered;
    due += each.due;
  }
  EXPECT_EQ(answered, of.answered);
  if (of.plan.arrival != arrival::closed && !of.partial) {
    EXPECT_EQ(due, due_by_schedule(of.plan));
    EXPECT_EQ(of.due, due);
  }
  EXPECT_EQ(to_json(run_from_json(to_json(of))).dump(), to_json(of).dump());
}

run_result carried_out(const plan& of) {
  run_result result = carry_out(of);
  expect_consistent(result);
  return result;
}

/// All that was sent. On a busy machine some are still waiting for a connection at the end.
void expect_all_answered(const run_result& of) {
  EXPECT_EQ(of.errors, (std::map<std::string, std::uint64_t>{}));
  EXPECT_GT(of.answered, 0U);
  EXPECT_EQ(of.answered, of.sent);
  EXPECT_EQ(of.sent + of.unsent, of.due);
  EXPECT_EQ(of.latencies.request.count(), of.due);
}

struct kind {
  load::protocol protocol;
  std::uint64_t requests;
  load::ending ending;
  load::arrival arrival;
};

std::string name_of(const kind& of) {
  std::string name{to_string(of.protocol)};
  name += '_' + std::to_string(of.requests) + '_';
  name += to_string(of.ending);
  name += '_';
  name += to_string(of.arrival);
  std::ranges::replace(name, '-', '_');
  return name;
}
void PrintTo(const kind& of, std::ostream* to) { *to << name_of(of); }  // GoogleTest's name for it

class load_runs : public testing::TestWithParam<kind> {};

TEST_P(load_runs, answer_every_request) {
  const kind what = GetParam();
  dwell::service_options options = local();
  const bool server_ends =
      what.ending == ending::server || what.ending == ending::server_abort_after_fin;
  if (server_ends) options.limits.exchanges = what.requests;
  if (what.ending == ending::server_abort_after_fin) {
    options.close.finished = dwell::close_method::abort_after_fin;
  }
  own_service server{options, what.protocol == protocol::http ? site() : echo};
  plan of = small(server, what.protocol);
  of.threads = 2;
  of.requests_per_connection = what.requests;
  of.ending = what.ending;
  of.arrival = what.arrival;
  const run_result result = carried_out(of);
  expect_all_answered(result);
  if (what.requests == 1 && what.arrival != arrival::closed) {
    // The first of all was opened before the run, maybe for one of those that are measured.
    EXPECT_GE(result.latencies.connect.count(), result.answered);
    EXPECT_LE(result.latencies.connect.count(), result.answered + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    all, load_runs,
    testing::Values(kind{protocol::echo, 0, ending::client, arrival::poisson},
                    kind{protocol::echo, 0, ending::client_abort, arrival::closed},
                    kind{protocol::echo, 1, ending::client, arrival::even},
                    kind{protocol::echo, 1, ending::client_abort, arrival::poisson},
                    kind{protocol::echo, 1, ending::server, arrival::poisson},
                    kind{protocol::echo, 1, ending::server_abort_after_fin, arrival::closed},
                    kind{protocol::echo, 5, ending::client, arrival::poisson},
                    kind{protocol::echo, 5, ending::server, arrival::closed},
                    kind{protocol::http, 0, ending::client, arrival::closed},
                    kind{protocol::http, 1, ending::client, arrival::poisson},
                    kind{protocol::http, 1, ending::server, arrival::poisson},
                    kind{protocol::http, 5, ending::client_abort, arrival::even},
                    kind{protocol::http, 5, ending::server, arrival::poisson}),
    [](const testing::TestParamInfo<kind>& of) { return name_of(of.param); });

TEST(load_run, compares_large_answers_that_come_in_pieces) {
  own_service server{local(), echo};
  plan of = small(server);
  of.size = 3'000'000;
  of.rate = 20;
  expect_all_answered(carried_out(of));
}

TEST(load_run, throws_when_nobody_listens) {
  plan of;
  {
    own_service server{local(), echo};
    of = small(server);
  }
  for (const std::uint64_t requests : {0U, 1U}) {
    of.requests_per_connection = requests;
    try {
      carry_out(of);
      ADD_FAILURE() << "there was nobody";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string{error.what()}.find("nobody listens there"), std::string::npos)
          << error.what();
    }
  }
}

TEST(load_run, counts_connections_that_are_refused_later) {
  own_service server{local(), echo};
  plan of = small(server);
  of.requests_per_connection = 1;
  of.warmup = 0ms;
  of.duration = 60s;
  bool stopped = false;
  const run_result result = carry_out(of, [&](const second& one) {
    if (!std::exchange(stopped, true)) return server.stop();
    if (one.failed > 0 && !interrupted()) std::raise(SIGINT);  // that is enough
  });
  forget_interrupt();
  expect_consistent(result);
  EXPECT_GT(result.answered, 0U);
  EXPECT_GT(result.errors.at("connect: refused"), 0U);
  EXPECT_EQ(result.answered + failures(result) + result.unsent, result.due);
}

/// A server that answers nothing as it should: each request fails, as `error`.
void expect_all_failed(const char* error, const dwell::handler& what, protocol how) {
  own_service server{local(), what};
  for (const std::uint64_t requests : {0U, 1U}) {
    plan of = small(server, how);
    of.requests_per_connection = requests;
    of.duration = 60ms;
    of.timeout = 10s;
    const run_result result = carried_out(of);
    EXPECT_EQ(result.answered, 0U);
    EXPECT_EQ(result.errors, (std::map<std::string, std::uint64_t>{{error, result.sent}}));
    EXPECT_GT(result.sent, 0U);
  }
}

TEST(load_run, names_what_went_wrong) {
  using dwell::bytes;
  using dwell::connection;
  expect_all_failed("closed_early", on_data([](connection& peer, bytes data) {
                      peer.send(data.first(data.size() / 2));
                      peer.close();
                    }),
                    protocol::echo);
  expect_all_failed("reset", on_data([](connection& peer, bytes) {
                      peer.close(dwell::close_reason::finished, dwell::close_method::abort);
                    }),
                    protocol::echo);
  expect_all_failed("wrong_answer", on_data([](connection& peer, bytes data) {
                      peer.send(std::string(data.size(), '?'));
                    }),
                    protocol::echo);
  expect_all_failed("wrong_answer", on_data([](connection& peer, bytes) { peer.send("hello\n"); }),
                    protocol::http);
  expect_all_failed("http 503", site(dwell::http::status::service_unavailable), protocol::http);
  expect_all_failed(
      "http 404",
      [] {
        dwell::http::router nothing;
        return dwell::http::serve(std::move(nothing));
      }(),
      protocol::http);
}

TEST(load_run, counts_a_timeout_with_at_least_its_length) {
  own_service server{local(), on_data([](dwell::connection&, dwell::bytes) {})};
  for (const std::uint64_t requests : {0U, 1U}) {
    plan of = small(server);
    of.requests_per_connection = requests;
    of.timeout = 60ms;
    const run_result result = carried_out(of);
    EXPECT_EQ(result.answered, 0U);
    EXPECT_EQ(result.due, result.sent + result.unsent);
    EXPECT_GE(failures(result), result.sent);
    if (requests == 0) {
      EXPECT_GT(result.errors.at("timed_out"), 0U);
    }
    EXPECT_EQ(result.latencies.request.count(), result.due);
    // The last ones had no connection, nor the time to find out.
    EXPECT_GE(result.latencies.request.at(0.5), 59ms);
  }
}

TEST(load_run, has_what_waits_for_a_connection_in_its_latency) {
  // Answers each request 20 ms after it came: 50 a second on one connection, and 400 are due.
  own_service server{
      local(), dwell::callbacks<>{
                   .on_data = [](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
                     peer.after(20ms, [text = std::string{data.text()}](dwell::connection& later) {
                       later.send(text);
                     });
                     return data.size();
                   }}};
  plan of = small(server);
  of.connections = 1;
  of.warmup = 0ms;
  of.duration = 300ms;
  const run_result result = carried_out(of);
  EXPECT_GT(result.unsent, result.answered);
  EXPECT_EQ(result.answered + result.unsent, result.due);
  EXPECT_EQ(result.latencies.request.count(), result.due);
  // Half of them waited for half of the run; sending them took the server 20 ms.
  EXPECT_GT(result.latencies.request.at(0.5), 80ms);
  EXPECT_GT(result.late, 0U);
  EXPECT_GT(result.latencies.request.at(0.9), 2 * result.latencies.naive.at(0.5));
}

TEST(load_run, shows_a_stall_that_waiting_tools_do_not_see) {
  std::atomic<int> asked{0};
  own_service server{local(), on_data([&](dwell::connection& peer, dwell::bytes data) {
                       if (++asked == 50) {
                         std::mutex nobodys;
                         std::condition_variable never;
                         std::unique_lock held{nobodys};
                         never.wait_for(held, 300ms, [] { return false; });
                       }
                       peer.send(data);
                     })};
  plan of = small(server);
  of.connections = 1;
  of.arrival = arrival::even;
  of.rate = 200;
  of.warmup = 0ms;
  of.duration = 1s;
  const run_result result = carried_out(of);
  expect_all_answered(result);
  // 60 were due meanwhile; only one was on its way.
  std::uint64_t slow = 0, slow_naive = 0;
  const auto count_into = [](std::uint64_t& count) {
    return [&count](nanoseconds each, std::uint64_t times) {
      if (each > 100ms) count += times;
    };
  };
  result.latencies.request.visit(count_into(slow));
  result.latencies.naive.visit(count_into(slow_naive));
  EXPECT_GE(slow, 35U);
  EXPECT_LE(slow_naive, slow / 5);
  EXPECT_GE(slow_naive, 1U);
}

TEST(load_run, does_not_wait_for_ever_for_a_server_to_close) {
  own_service server{local(), echo};
  plan of = small(server);
  of.requests_per_connection = 1;
  of.ending = ending::server;
  of.timeout = 100ms;
  const run_result result = carry_out(of);
  EXPECT_GT(result.answered, 0U);
  EXPECT_GT(result.errors.at("not_closed"), 0U);
}

TEST(load_run, ends_early_when_interrupted_and_says_so) {
  own_service server{local(), echo};
  plan of = small(server);
  of.warmup = 0ms;
  of.duration = 10min;
  const auto began = std::chrono::steady_clock::now();
  const run_result result = carry_out(of, [](const second& one) {
    if (!interrupted() && one.at_s >= 1) std::raise(SIGINT);
  });
  EXPECT_TRUE(interrupted());
  forget_interrupt();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 60s);
  expect_consistent(result);
  EXPECT_TRUE(result.partial);
  EXPECT_GT(result.answered, 0U);
  EXPECT_EQ(result.answered, result.sent);
  EXPECT_GE(result.measured_s, 1);
}

}  // namespace
}  // namespace load
