#include "common/flags.hpp"

#ifdef WITH_SYSTEMD
#include <dwell/systemd/systemd.hpp>
#endif

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <charconv>
#include <csignal>
#include <iostream>
#include <limits>
#include <map>
#include <stdexcept>
#include <system_error>

namespace {

constexpr int failed = 1;
constexpr int wrong_usage = 2;

/// What parse_endpoint reads, and "systemd:NAME" for a socket of a .socket unit.
dwell::endpoint endpoint_of(const std::string& text) {
#ifdef WITH_SYSTEMD
  constexpr std::string_view passed = "systemd:";
  if (text.starts_with(passed)) return dwell::passed_socket_named(text.substr(passed.size()));
#endif
  return dwell::parse_endpoint(text);
}

const words_for<dwell::close_method> close_methods{
    {"graceful", dwell::close_method::graceful},
    {"peer-first", dwell::close_method::peer_first},
    {"abort-after-fin", dwell::close_method::abort_after_fin},
    {"abort", dwell::close_method::abort}};

/// "250ms", "60s", "5min", "1h" or "off".
dwell::duration parse_time(const std::string& flag, const std::string& given) {
  if (given == "off") return dwell::off;
  const std::map<std::string, std::int64_t> units{
      {"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
  std::int64_t count = 0;
  const char* const end = given.data() + given.size();
  const auto [rest, error] = std::from_chars(given.data(), end, count);
  const auto unit = units.find(std::string{rest, end});
  if (error != std::errc{} || unit == units.end()) {
    throw CLI::ValidationError{
        flag, '"' + given + "\": use a whole number and a unit (250ms, 60s, 5min, 1h) or off"};
  }
  constexpr std::int64_t longest = std::int64_t{24} * 24 * 3'600'000;
  if (count < 1 || count > longest / unit->second) {
    throw CLI::ValidationError{flag, '"' + given + "\": use 1ms to 24 days (576h)"};
  }
  return dwell::duration{count * unit->second};
}

/// Never blocks its callers: when its queue is full, the oldest line goes.
std::shared_ptr<spdlog::logger> make_logger(const std::string& name, const std::string& level) {
  auto logger = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>(name);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %v");
  logger->set_level(spdlog::level::from_str(level));
  return logger;
}

}  // namespace

command_line::command_line(const std::string& name, const std::string& does,
                           const std::string& examples, flags& chosen)
    : chosen_{chosen}, app_{does, name} {
  app_.footer("\nExamples:\n" + examples +
              "\nTimes take a unit: ms, s, min, h.\n"
              "Prints `listening on ADDR:PORT` when it is ready. SIGINT and SIGTERM drain, a "
              "second one aborts;\n"
              "SIGUSR1 prints how connections have ended so far, SIGHUP reads certificates again.\n"
              "Exit codes: 0 drained, 1 failed or aborted, 2 wrong usage.");
  app_.failure_message([](const CLI::App* app, const CLI::Error& error) {
    return app->get_name() + ": " + error.what() + "; see " + app->get_name() + " --help\n";
  });
  app_.set_version_flag("--version", name + ' ' + std::string{dwell::version()});
  add_server_flags();
  add_service_flags();
}

void command_line::add_server_flags() {
  app_.add_option("--threads", chosen_.server.threads, "Loops, one thread each; 0: one per CPU [1]")
      ->check(CLI::Range(0, 1024).description(""))
      ->type_name("N");
  app_.add_option("--max-connections", chosen_.server.connections, "Open at the same time")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()).description(""))
      ->type_name("N");
  add_choice("--when-full", chosen_.server.full,
             {{"evict-idle", dwell::when_full::evict_idle},
              {"pause-accept", dwell::when_full::pause_accept},
              {"refuse", dwell::when_full::refuse}},
             "Beyond that the longest idle goes, or new ones wait, or are refused [evict-idle]");
  app_.add_option("--per-address", chosen_.server.per_address.connections,
                  "Open at the same time from one address, an IPv6 one by its first 64 bits")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()).description(""))
      ->type_name("N");
  app_.add_option("--per-address-rate", chosen_.server.per_address.accepts_per_second,
                  "New ones from one address in a second")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("N");
  dwell::drain_options& drain = chosen_.server.drain;
  add_deadline("--drain-delay", drain.delay, "Goes on accepting for this long, not ready [none]");
  add_deadline("--drain-deadline", drain.deadline, "Exchanges may take this long to end [10s]");
  add_deadline("--drain-spread", drain.spread, "Closes idle connections over this time [at once]");
  add_choice("--tables", chosen_.server.tables,
             {{"shared", dwell::descriptor_tables::shared},
              {"per-loop", dwell::descriptor_tables::per_loop}},
             "Descriptors: one table for the process, or one for each loop [shared]");
  add_choice(
      "--log-level", log_level_,
      {{"off", "off"}, {"error", "error"}, {"warn", "warn"}, {"info", "info"}, {"debug", "debug"}},
      "To standard error [info]");
  app_.add_flag("--json", chosen_.json, "How connections have ended as one line of JSON");
}

void command_line::add_service_flags() {
  dwell::service_options& service = chosen_.service;
  add_endpoint("--listen", service.listen,
               "Where; port 0: one that is free [" + dwell::to_string(service.listen) + ']');
  add_choice("--mode", service.mode,
             {{"long", dwell::connection_mode::long_lived},
              {"short", dwell::connection_mode::short_lived}},
             "Many exchanges over a connection, or one [long]");
  add_deadline("--idle", service.deadlines.idle,
               "Close a connection after this long without a byte [60s]");
  add_deadline("--read", service.deadlines.read, "Whole messages: how long one may take [10s]");
  add_deadline("--handle", service.deadlines.handle,
               "How long the handler may take for an answer, or between two pieces of it [30s]");
  add_deadline("--write", service.deadlines.write,
               "How long a client may take nothing of what is sent [30s]");
  add_choice("--close", service.close.finished, close_methods,
             "How finished connections leave [graceful]");
  add_choice("--close-idle", service.close.idle, close_methods,
             "How idle connections leave [graceful]");
  add_proxy_flags();
  add_tls_flags();
}

void command_line::add_proxy_flags() {
  const auto behind = [this](const std::vector<std::string>& proxies) {
    chosen_.service.proxy_protocol = dwell::proxy_protocol_options{.from = proxies};
  };
  app_.add_option_function<std::vector<std::string>>(
          "--proxy-protocol", behind,
          "Behind these proxies (addresses, networks as 10.0.0.0/24, unix:), which say first whom "
          "they speak for; nobody else is let in")
      ->delimiter(',')
      ->type_name("PROXY");
}

void command_line::add_tls_flags() {
  const auto with_files = [this](const std::vector<std::string>& files) {
    secure({.chain = files[0], .private_key = files[1]});
  };
  CLI::Option* const files =
      app_.add_option_function<std::vector<std::string>>(
              "--tls", with_files, "TLS with this certificate chain and its key, PEM files")
          ->expected(2)
          ->type_name("CHAIN KEY");
  app_.add_flag_callback(
          "--tls-self-signed", [this] { secure(dwell::self_signed()); },
          "TLS with a certificate for localhost that nobody else has signed")
      ->excludes(files);
  add_deadline("--handshake", chosen_.service.deadlines.handshake,
               "TLS: how long the handshake may take [10s]");
}

void command_line::secure(dwell::tls_certificate certificate) {
  chosen_.service.tls = dwell::tls_options{.certificate = std::move(certificate)};
}

CLI::Option* command_line::add_endpoint(const std::string& flag, dwell::endpoint& chosen,
                                        const std::string& text) {
  const auto choose = [flag, &chosen](const std::string& given) {
    try {
      chosen = endpoint_of(given);
    } catch (const std::invalid_argument& error) {
      throw CLI::ValidationError{flag, error.what()};
    }
  };
  return app_.add_option_function<std::string>(flag, choose, text)
      ->type_name("ADDR:PORT|unix:PATH|fd:N|systemd:NAME");
}

void command_line::add_deadline(const std::string& flag, dwell::duration& chosen,
                                const std::string& text) {
  const auto choose = [flag, &chosen](const std::string& given) {
    chosen = parse_time(flag, given);
  };
  app_.add_option_function<std::string>(flag, choose, text)->type_name("TIME|off");
}

int command_line::run(int argc, char** argv, const std::function<int()>& program) {
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_.exit(error) == 0 ? 0 : wrong_usage;
  }
  const auto say = [this](const std::exception& error) {
    std::cerr << app_.get_name() << ": " << error.what() << '\n';
  };
  try {
    chosen_.server.logger = make_logger(app_.get_name(), log_level_);
    return program();
  } catch (const std::invalid_argument& error) {
    say(error);
    return wrong_usage;
  } catch (const std::exception& error) {
    say(error);
    return failed;
  }
}
