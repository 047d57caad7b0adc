// crowd: a server for a million connections, and the million. bench/million runs both.

#include <dwell/net/endpoint.hpp>

#include "roles.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

namespace {

constexpr const char* examples = R"(
Examples:
  crowd serve --threads 8 --idle 60
  crowd visit 127.0.0.1:7777 -n 100000 --threads 8 --idle 60

bench/million starts both in a network of their own, and says what came of it.
Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage.)";

void add_idle(CLI::App* app, std::chrono::milliseconds& idle) {
  app->add_option_function<double>(
         "--idle",
         [&idle](double seconds) {
           idle = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1'000)};
         },
         "The server's idle deadline")
      ->type_name("SECONDS");
}

void add_threads(CLI::App* app, int& threads) {
  app->add_option("--threads", threads, "Loops, each with a descriptor table of its own")
      ->check(CLI::Range(1, 1024));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A server for a million connections, and the million."};
  app.footer(examples);
  app.require_subcommand(1);
  serve_options server;
  visit_options visitors;
  std::string listen, to;
  CLI::App* const serves = app.add_subcommand("serve", "Echoes; reports at SIGUSR1");
  serves->add_option("--listen", listen, "ADDR:PORT");
  add_threads(serves, server.threads);
  add_idle(serves, server.idle);
  CLI::App* const visits =
      app.add_subcommand("visit", "Connects, is asked, and waits to be reaped");
  visits->add_option("target", to, "ADDR:PORT")->required();
  visits->add_option("-n,--connections", visitors.connections)->check(CLI::PositiveNumber);
  visits->add_option("--source", visitors.source, "Local addresses, taken in turn");
  add_threads(visits, visitors.threads);
  add_idle(visits, visitors.idle);
  try {
    app.parse(argc, argv);
    if (!listen.empty()) server.listen = dwell::parse_endpoint(listen);
    if (!to.empty()) visitors.to = dwell::parse_endpoint(to);
    return *serves ? serve(server) : visit(visitors);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::invalid_argument& error) {
    std::cerr << "crowd: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "crowd: " << error.what() << '\n';
    return 1;
  }
}
