// driver: puts load on an echo or HTTP server and says what came of it.

#include "crossing.hpp"
#include "idle.hpp"
#include "interrupt.hpp"
#include "load.hpp"
#include "report.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <string>

namespace {

constexpr int failed = 1;
constexpr int usage = 2;

constexpr const char* examples = R"(
Examples:
  driver long 127.0.0.1:7777 -n 100 --duration 10s
  driver long 127.0.0.1:7777 -n 100 --rate 20000 --json
  driver short 127.0.0.1:7777 -n 50 --size 100 --who-closes client
  driver short 127.0.0.1:7777 --size 10000 --count 300
  driver long 127.0.0.1:8080 -n 100 --get /
  driver idle 127.0.0.1:7777 -n 15000 --spread 500ms --expect 10s --ping
  driver crossing 127.0.0.1:7777 --size 1000000 --extra 5

Times take a unit (us, ms, s, min), sizes may (kb, mb). Ctrl-C ends a run early; its result is
printed all the same, with "interrupted": true.
Exit codes: 0 done, 1 failed (nothing was exchanged), 2 wrong usage.)";

const std::map<std::string, double> units = {
    {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};

CLI::Option* add_time(CLI::App* app, const std::string& name, nanoseconds& value,
                      const std::string& text) {
  // Through a double, so that 0.5s is a time too.
  return app
      ->add_option_function<double>(
          name, [&value](double given) { value = static_cast<nanoseconds>(given); }, text)
      ->transform(CLI::AsNumberWithUnit(
          units, CLI::AsNumberWithUnit::Options(CLI::AsNumberWithUnit::UNIT_REQUIRED |
                                                CLI::AsNumberWithUnit::CASE_SENSITIVE)))
      ->type_name("TIME");
}

CLI::Option* add_size(CLI::App* app, const std::string& name, std::size_t& value,
                      const std::string& text) {
  return app->add_option(name, value, text)
      ->transform(CLI::AsSizeValue(true))
      ->type_name("BYTES")
      ->capture_default_str();
}

CLI::Option* add_get(CLI::App* app, std::string& path) {
  return app
      ->add_option("--get", path,
                   "HTTP: ask for this path; each reply has to be a 200 of the first one's size")
      ->check([](const std::string& given) {
        return std::string{given.starts_with('/') ? "" : "begins with a /"};
      })
      ->type_name("PATH");
}

void add_load(CLI::App* app, load_options& options) {
  app->add_option("target", options.targets, "ADDR:PORT or unix:PATH; several are taken in turn")
      ->required();
  app->add_option("-n,--connections", options.connections,
                  options.one_exchange ? "At most so many in flight" : "So many open")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app->add_option("--rate", options.rate,
                  "Exchanges a second, sent on schedule whatever the server does; latency counts "
                  "from the intended time. Without it each reply brings the next request")
      ->check(CLI::PositiveNumber);
  CLI::Option* const get = add_get(app, options.get);
  add_size(app, "--size", options.request_size, "Bytes of a request")
      ->check(CLI::PositiveNumber)
      ->excludes(get);
  add_size(app, "--reply", options.reply_size, "Bytes of a reply, if not the echo of the request")
      ->excludes(get);
  app->add_option("--count", options.count, "End after so many exchanges instead of --duration");
  add_time(app, "--warmup", options.warmup, "Not measured (default 500ms)");
  add_time(app, "--duration", options.duration, "Measured (default 3s)");
  add_time(app, "--timeout", options.timeout, "Of one exchange (default 5s)");
}

void add_who_closes(CLI::App* app, load_options& options, const std::string& text) {
  app->add_option("--who-closes", options.client_closes, text)
      ->transform(
          CLI::Transformer(std::map<std::string, bool>{{"server", false}, {"client", true}}))
      ->type_name("server|client");
}

void add_idle(CLI::App* app, idle_options& options) {
  app->add_option("target", options.to, "ADDR:PORT or unix:PATH")->required();
  app->add_option("-n,--connections", options.connections)
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_time(app, "--spread", options.spread,
           "The last byte of each is sent evenly over this (default 500ms; 0s: at once)");
  add_time(app, "--expect", options.expect, "The server's idle deadline; judges early and late");
  add_time(app, "--hold", options.hold, "Leave after so long instead of waiting for the server");
  add_time(app, "--tolerance", options.tolerance,
           "Closed less than this too soon is not early (default 2ms)");
  app->add_flag("--at-once", options.at_once,
                "Stop the server (SIGSTOP, by --server-pid) until all are due");
  app->add_flag("--silent", options.silent, "Send nothing: the deadline counts from the accept");
  app->add_flag("--ping", options.ping, "One more connection measures the server's worst stall")
      ->excludes(add_get(app, options.get));
}

void add_crossing(CLI::App* app, crossing_options& options) {
  app->add_option("target", options.to, "ADDR:PORT or unix:PATH")->required();
  add_size(app, "--size", options.size, "Bytes of the request and of its reply");
  add_size(app, "--extra", options.extra, "Bytes sent while the reply is in flight");
  add_time(app, "--pause", options.pause, "Without reading, before the extra bytes (default 20ms)");
  app->add_option("--tries", options.tries)->capture_default_str();
}

bool nothing_done(const nlohmann::ordered_json& result) {
  for (const char* count : {"exchanges", "opened", "tries"})
    if (const auto found = result.find(count); found != result.end()) return *found == 0;
  return false;
}

int run(const std::function<nlohmann::ordered_json()>& command, bool json) {
  catch_interrupt();
  try {
    const nlohmann::ordered_json result = command();
    if (json)
      std::cout << result.dump(2) << '\n';
    else
      print_table(result);
    return nothing_done(result) && !result["interrupted"] ? failed : 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << "driver: " << error.what() << '\n';
    return usage;
  } catch (const std::exception& error) {
    std::cerr << "driver: " << error.what() << '\n';
    return failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Puts load on an echo or HTTP server and says what came of it."};
  app.footer(examples);
  app.require_subcommand(1);
  bool json = false;
  pid_t server = 0;

  load_options long_lived, short_lived;
  long_lived.client_closes = true;
  short_lived.one_exchange = true;
  idle_options idle;
  crossing_options crossing;

  CLI::App* long_command = app.add_subcommand("long", "Many exchanges over each connection");
  add_load(long_command, long_lived);
  CLI::App* short_command = app.add_subcommand("short", "One exchange per connection");
  add_load(short_command, short_lived);
  add_who_closes(
      long_command, long_lived,
      "client: at the end of the run; server: stay, silent, until it does (default client)");
  add_who_closes(short_command, short_lived,
                 "server: read to EOF, then close; client: close at the last byte of the reply, "
                 "as one that knows its length (default server)");
  short_command->add_flag("--ack-with-data", short_lived.ack_with_data,
                          "Send the request with the handshake's last ACK: whoever accepts the "
                          "connection finds it there. For counting system calls");
  CLI::App* idle_command = app.add_subcommand("idle", "Connections that wait to be reaped");
  add_idle(idle_command, idle);
  CLI::App* crossing_command =
      app.add_subcommand("crossing", "Bytes sent while the reply is in flight");
  add_crossing(crossing_command, crossing);

  for (CLI::App* command : {long_command, short_command, idle_command, crossing_command}) {
    command->add_flag("--json", json, "The result as JSON");
    if (command != crossing_command)
      command->add_option("--server-pid", server, "Report this process's CPU time too");
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage;
  }
  if (idle.at_once && server == 0) {
    std::cerr << "driver: --at-once needs --server-pid\n";
    return usage;
  }
  long_lived.server = short_lived.server = idle.server = server;
  if (*long_command) return run([&] { return run_load(long_lived); }, json);
  if (*short_command) return run([&] { return run_load(short_lived); }, json);
  if (*idle_command) return run([&] { return run_idle(idle); }, json);
  return run([&] { return run_crossing(crossing); }, json);
}
