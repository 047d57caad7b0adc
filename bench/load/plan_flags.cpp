#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <stdexcept>
#include <sys/resource.h>

namespace load {
namespace {

const std::map<std::string, double> units = {
    {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};

/// Descriptors that are not connections: three standard ones, epoll sets, timers, what is sampled.
constexpr std::uint64_t other_descriptors = 64;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument{what}; }

}  // namespace

CLI::Option* add_time(CLI::App& app, const std::string& name, nanoseconds& to,
                      const std::string& text) {
  // Through a double, so that 0.5s is a time too.
  return app
      .add_option_function<double>(
          name, [&to](double given) { to = nanoseconds{static_cast<std::int64_t>(given)}; }, text)
      ->transform(CLI::AsNumberWithUnit(
          units, CLI::AsNumberWithUnit::Options(CLI::AsNumberWithUnit::UNIT_REQUIRED |
                                                CLI::AsNumberWithUnit::CASE_SENSITIVE)))
      ->type_name("TIME");
}

void add_plan_flags(CLI::App& app, plan& to) {
  app.add_option_function<std::string>(
         "-t,--target",
         [&to](const std::string& url) {
           try {
             set_target(to, url);
           } catch (const std::invalid_argument& wrong) {
             throw CLI::ValidationError{"--target", wrong.what()};
           }
         },
         "Where to: echo://HOST:PORT or http://HOST[:PORT]/PATH")
      ->type_name("URL");
  app.add_option_function<std::string>(
         "--tls",
         [&to](const std::string& how) {
           if (how == "none" || !parse(how, to.tls)) {
             throw CLI::ValidationError{"--tls", '"' + how + "\": use full or resumed"};
           }
         },
         "Connections speak TLS, with full or with resumed handshakes")
      ->type_name("full|resumed");
  app.add_flag("--tls-verify", to.tls_verify,
               "The server's certificate has to be trusted; without it anybody's will do");
  app.add_option("-r,--rate", to.rate, "Requests a second, sent when due whatever the server does")
      ->check(CLI::Range(0.01, 1e7))
      ->type_name("RATE")
      ->capture_default_str();
  app.add_flag_callback(
      "--even", [&to] { to.arrival = arrival::even; },
      "Due every 1/rate; without it at random, as users are (Poisson)");
  app.add_option("-c,--connections", to.connections, "Long: so many open; short: at most at a time")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--size", to.size, "Bytes of an echo request; of an own HTTP server's answer")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30))
      ->type_name("BYTES")
      ->capture_default_str();
  app.add_option("--source", to.source,
                 "Local addresses in turn, as 127.0.0.0/24: each has ports of its own")
      ->type_name("ADDR[/BITS]");
  app.add_option("--threads", to.threads, "Threads that put the load")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  add_time(app, "-d,--duration", to.duration, "Measured [10s]");
  add_time(app, "--warmup", to.warmup, "Before that, not measured [1s]");
  add_time(app, "--timeout", to.timeout, "Of a request, from its intended time [5s]");
  app.add_option("--seed", to.seed, "Of the random times")->type_name("N")->capture_default_str();
  app.add_option("--server-pid", to.server, "The server's process, if it runs here: its CPU time")
      ->type_name("PID");
}

void check(const plan& of) {
  using namespace std::chrono_literals;
  if (of.port == 0) refuse("--target is missing: say where to, as --target echo://127.0.0.1:7777");
  if (of.threads > of.connections) {
    refuse("--threads " + std::to_string(of.threads) + " share --connections " +
           std::to_string(of.connections) + ": give each thread one at least");
  }
  if (of.tls_verify && of.tls == security::none) {
    refuse("--tls-verify without --tls: say --tls full or --tls resumed as well");
  }
  if (of.duration < 10ms) refuse("--duration is below 10 ms: nothing is measured in that");
  if (of.timeout < 1ms || of.timeout > 18min) refuse("--timeout is not between 1 ms and 18 min");
  if (of.warmup < 0s) refuse("--warmup is negative");
  if (is_long(of) && of.ending != ending::client && of.ending != ending::client_abort) {
    refuse("--close " + std::string{to_string(of.ending)} +
           ": connections that stay as long as the run are closed by the client; limit them with "
           "--mode short or --requests-per-connection");
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (of.connections + other_descriptors > limit.rlim_max) {
    refuse("--connections " + std::to_string(of.connections) + " need more descriptors than the " +
           std::to_string(limit.rlim_max) +
           " this process may have: raise the hard limit (ulimit -Hn)");
  }
}

}  // namespace load
