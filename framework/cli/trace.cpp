// dwell trace: state transitions of a port's connections, as they happen.

#include <dwell/kernel/kernel_view.hpp>

#include "cli/command.hpp"
#include "cli/trace_instance.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

namespace {

using json = nlohmann::ordered_json;

struct trace_options {
  std::uint16_t port = 0;
  bool as_json = false;
};

/// TIME_WAIT has no event: the tracepoint says CLOSED, and the kernel keeps a smaller socket.
bool may_wait(const transition& one) {
  return one.to == dwell::tcp_state::closed &&
         (one.from == dwell::tcp_state::fin_wait_2 || one.from == dwell::tcp_state::closing);
}

/// Asks once for all transitions of a batch. Those of other networks stay as they are.
void complete(std::vector<transition>& batch, std::uint16_t port, dwell::kernel_view& kernel) {
  if (std::ranges::none_of(batch, may_wait)) return;
  const auto waiting = kernel.sockets(
      {.port = port, .states = {dwell::tcp_state::time_wait, dwell::tcp_state::fin_wait_2}});
  for (transition& one : batch) {
    if (!may_wait(one)) continue;
    const auto found = std::ranges::find_if(waiting, [&](const dwell::tcp_socket& socket) {
      return socket.inode == 0 && socket.local.to_endpoint() == one.local &&
             socket.remote.to_endpoint() == one.remote;
    });
    if (found == waiting.end()) continue;
    one.to = found->state;
    one.remaining = found->remaining;
  }
}

class printer {
 public:
  explicit printer(const trace_options& options) : options_{options} {}

  void print(const transition& one) {
    if (!begin_) begin_ = one.time;
    const double time = one.time - *begin_;
    const char* const side = one.local.port == options_.port ? "server" : "client";
    std::cout << (options_.as_json ? as_json(one, time, side) : as_text(one, time, side)) << '\n';
  }

 private:
  static std::string as_text(const transition& one, double time, const char* side) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(6) << std::setw(12) << time << "  " << side << "  "
         << std::left << std::setw(44)
         << to_string(one.local) + (one.remote.port == 0 ? "" : " <-> " + to_string(one.remote))
         << "  " << std::setw(12) << to_string(one.from) << " -> " << to_string(one.to);
    if (one.remaining) {
      text << (one.to == one.from ? " (orphan, " : " (") << as_seconds(*one.remaining) << " left)";
    }
    return text.str();
  }

  static std::string as_json(const transition& one, double time, const char* side) {
    json line{{"time", time},
              {"side", side},
              {"local", to_string(one.local)},
              {"remote", to_string(one.remote)},
              {"from", to_string(one.from)},
              {"to", to_string(one.to)}};
    if (one.remaining) line["remaining_ms"] = one.remaining->count();
    return line.dump();
  }

  const trace_options& options_;
  std::optional<double> begin_;
};

int run(const trace_options& options) {
  dwell::kernel_view kernel;
  trace_instance trace{options.port};
  printer out{options};
  std::cerr << "tracing port " << options.port << "; Ctrl-C ends\n";
  while (const auto lines = trace.wait()) {
    std::vector<transition> batch;
    for (const std::string& line : *lines) {
      if (const auto one = parse_transition(line)) {
        batch.push_back(*one);
      } else if (line.find("LOST") != std::string::npos) {
        std::cerr << "dwell: " << line << ": more happened than was read\n";
      }
    }
    complete(batch, options.port, kernel);
    for (const transition& one : batch) out.print(one);
    std::cout.flush();
    if (!std::cout) return failed;
  }
  return done;
}

}  // namespace

void add_trace(CLI::App& program, action& chosen) {
  const auto options = std::make_shared<trace_options>();
  CLI::App& command = *program.add_subcommand(
      "trace", "State transitions of a port's connections as they happen, on both sides");
  command
      .add_option_function<std::string>(
          "port", [options](const std::string& given) { options->port = parse_port(given); },
          "Connections with this port at either end")
      ->type_name(":PORT")
      ->required();
  command.add_flag("--json", options->as_json, "One line of JSON per transition");
  command.footer(
      "\nExamples:\n"
      "  dwell trace :8080\n"
      "  dwell trace :8080 --json | jq 'select(.to == \"TIME_WAIT\") | .side'\n"
      "\nNeeds root. Sees every network of this machine (the tracepoint sock:inet_sock_set_state, "
      "in an "
      "instance of its own,\nremoved at the end); TIME_WAIT, which has no event, is asked of the "
      "kernel for this network only.\nTimes are seconds since the first line.\n"
      "Exit codes: 0 Ctrl-C; 1 failed, and what is missing; 2 wrong usage.");
  command.callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}
