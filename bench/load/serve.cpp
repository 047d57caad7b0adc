#include <dwell/dwell.hpp>
#include <dwell/http.hpp>

#include "commands.hpp"
#include "cpu_list.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace load {
namespace {

using std::chrono::steady_clock;

/// What the command line of `serve` asks for.
struct wish {
  load::protocol protocol = protocol::echo;
  std::string listen = "127.0.0.1:0";
  std::size_t size = 64;
  std::uint64_t requests_per_connection = 0;
  dwell::close_method close = dwell::close_method::graceful;
  nanoseconds idle = std::chrono::seconds{60};
  int threads = 1;
  bool tls = false;
  std::string cpus;
  nanoseconds stall{0};
  nanoseconds stall_every = std::chrono::seconds{5};
};

/// Stands still for a while, once in each period: what a long garbage collection, or a lock, does.
class planted_stall {
 public:
  planted_stall(nanoseconds length, nanoseconds every)
      : length_{length},
        every_{every},
        next_{(steady_clock::now().time_since_epoch() + every_).count()} {}

  void pass() {
    if (length_.count() == 0) return;
    const nanoseconds now = steady_clock::now().time_since_epoch();
    if (now.count() < next_) return;
    next_ = (now + every_).count();
    std::this_thread::sleep_for(length_);
  }

 private:
  nanoseconds length_;
  nanoseconds every_;
  std::atomic<std::int64_t> next_;
};

dwell::handler echo(std::size_t size, std::shared_ptr<planted_stall> stall) {
  return dwell::callbacks<>{
      .on_data = [size, stall](dwell::connection& peer, dwell::no_session&, dwell::bytes data) {
        if (data.size() < size) return std::size_t{0};  // all of it comes again, with more
        stall->pass();
        peer.send(data);
        return data.size();
      }};
}

dwell::handler http_site(std::size_t size, std::shared_ptr<planted_stall> stall) {
  const auto body = std::make_shared<const std::string>(size, 'x');
  dwell::http::router routes;
  routes.get("/*any", [body, stall](const dwell::http::request&) {
    stall->pass();
    return dwell::http::response{.static_body = *body};
  });
  return dwell::http::serve(std::move(routes));
}

dwell::service_options service(const wish& what) {
  dwell::service_options options{.listen = dwell::parse_endpoint(what.listen)};
  options.deadlines.idle = std::chrono::ceil<dwell::duration>(what.idle);
  options.close.finished = what.close;
  options.limits.message = std::max(options.limits.message, what.size);
  options.limits.output = std::max(options.limits.output, what.size + options.limits.message);
  if (what.tls) options.tls = dwell::tls_options{.certificate = dwell::self_signed()};
  if (what.requests_per_connection == 1) {
    options.mode = dwell::connection_mode::short_lived;
  } else if (what.requests_per_connection > 1) {
    options.limits.exchanges = what.requests_per_connection;
  }
  return options;
}

/// All that the process may have: a connection is a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const wish& what) {
  if (!what.cpus.empty()) run_on(parse_processors(what.cpus));
  raise_descriptor_limit();
  auto logger =
      std::make_shared<spdlog::logger>("serve", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::warn);  // clients that reset are part of the plan
  dwell::server server{{.threads = what.threads,
                        .full = dwell::when_full::pause_accept,
                        .drain = {.deadline = std::chrono::seconds{1}},
                        .logger = std::move(logger)}};
  const auto stall = std::make_shared<planted_stall>(what.stall, what.stall_every);
  const bool is_echo = what.protocol == protocol::echo;
  const dwell::endpoint where =
      server.serve(service(what), is_echo ? echo(what.size, stall) : http_site(what.size, stall));
  const nlohmann::ordered_json line{{"listening", dwell::to_string(where)},
                                    {"address", where.address},
                                    {"port", where.port},
                                    {"protocol", is_echo ? "echo" : "http"},
                                    {"pid", ::getpid()}};
  // Who reads the line may end us at once, before run() looks for signals: nothing is to be
  // drained.
  for (const int early : {SIGINT, SIGTERM}) std::signal(early, [](int) { std::_Exit(0); });
  std::cout << line.dump() << std::endl;
  return server.run();
}

/// One of a few words.
template <class Value>
void add_choice(CLI::App& command, const std::string& flag, Value& chosen,
                const std::map<std::string, Value>& words, const std::string& text) {
  std::string all;
  for (const auto& [word, value] : words) all.append(all.empty() ? "" : "|").append(word);
  const auto choose = [flag, all, words, &chosen](const std::string& given) {
    const auto found = words.find(given);
    if (found == words.end()) throw CLI::ValidationError{flag, '"' + given + "\": use " + all};
    chosen = found->second;
  };
  command.add_option_function<std::string>(flag, choose, text)->type_name(all);
}

}  // namespace

void add_serve(CLI::App& app, action& chosen) {
  const auto what = std::make_shared<wish>();
  CLI::App* const command =
      app.add_subcommand("serve", "The server that --self uses, to be run elsewhere");
  command->footer(
      "Prints where it listens as a line of JSON; ends with SIGTERM or Ctrl-C.\n\n"
      "Examples:\n"
      "  dwell-load serve --listen 10.0.0.1:7777\n"
      "  dwell-load serve --protocol http --size 1000 --requests-per-connection 1\n"
      "  dwell-load serve --stall 200ms --stall-every 5s   # to see whether a tool notices");
  add_choice(*command, "--protocol", what->protocol,
             {{"echo", protocol::echo}, {"http", protocol::http}}, "What it speaks [echo]");
  command->add_option("--listen", what->listen, "Where; port 0: the kernel chooses [127.0.0.1:0]")
      ->type_name("ADDR:PORT");
  command->add_option("--size", what->size, "Bytes of an exchange, or of an HTTP body [64]")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 24U).description(""))
      ->type_name("BYTES");
  command
      ->add_option("--requests-per-connection", what->requests_per_connection,
                   "Then the server closes; 0: never, the client does [0]")
      ->type_name("N");
  add_choice(*command, "--close", what->close,
             {{"graceful", dwell::close_method::graceful},
              {"peer-first", dwell::close_method::peer_first},
              {"abort-after-fin", dwell::close_method::abort_after_fin},
              {"abort", dwell::close_method::abort}},
             "How it closes then [graceful]");
  add_time(*command, "--idle", what->idle, "A silent connection is closed after [60s]");
  command->add_flag("--tls", what->tls, "Speaks TLS, with a self-signed certificate");
  command->add_option("--threads", what->threads, "Loops [1]")->type_name("N");
  command->add_option("--cpus", what->cpus, "Processors to run on [all]")->type_name("0,2-3");
  add_time(*command, "--stall", what->stall, "Stand still for so long, now and then [0s]");
  add_time(*command, "--stall-every", what->stall_every, "How often that is [5s]");
  command->callback([what, &chosen] { chosen = [what] { return serve(*what); }; });
}

}  // namespace load
