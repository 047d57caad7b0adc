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

/// What the kernel still keeps of closed connections, in this network.
class remains {
 public:
  explicit remains(std::uint16_t port) : port_{port} {}

  /// Says of CLOSED what it really is; asks once for all.
  void complete(std::vector<transition>& batch) {
    if (std::ranges::none_of(batch, may_wait)) return;
    look();
    for (transition& one : batch) {
      if (!may_wait(one)) continue;
      const dwell::tcp_socket* const kept = find(one);
      if (kept == nullptr) continue;
      one.to = kept->state;
      one.remaining = kept->remaining;
      if (one.to == dwell::tcp_state::fin_wait_2) orphans_.push_back(one);
    }
  }

  /// Whether there are orphans in FIN_WAIT_2, which become TIME_WAIT without an event.
  bool has_orphans() const { return !orphans_.empty(); }

  /// Those that have become it, or have gone. `now` is the trace's clock.
  std::vector<transition> no_orphans_any_more(double now) {
    constexpr std::chrono::seconds whole{60};
    std::vector<transition> moved;
    look();
    std::erase_if(orphans_, [&](transition& one) {
      const dwell::tcp_socket* const kept = find(one);
      if (kept != nullptr && kept->state == dwell::tcp_state::fin_wait_2) return false;
      if (kept != nullptr) {
        const std::chrono::duration<double> since = whole - kept->remaining;
        one.time = std::max(one.time, now - since.count());
        one.remaining = kept->remaining;
      } else {
        one.time = now;
        one.remaining.reset();
      }
      one.from = dwell::tcp_state::fin_wait_2;
      one.to = kept != nullptr ? kept->state : dwell::tcp_state::closed;
      moved.push_back(one);
      return true;
    });
    return moved;
  }

 private:
  void look() {
    kept_ = kernel_.sockets(
        {.port = port_, .states = {dwell::tcp_state::time_wait, dwell::tcp_state::fin_wait_2}});
  }
  const dwell::tcp_socket* find(const transition& one) const {
    const auto found = std::ranges::find_if(kept_, [&](const dwell::tcp_socket& socket) {
      return socket.inode == 0 && socket.local.to_endpoint() == one.local &&
             socket.remote.to_endpoint() == one.remote;
    });
    return found == kept_.end() ? nullptr : &*found;
  }

  std::uint16_t port_;
  dwell::kernel_view kernel_;
  std::vector<dwell::tcp_socket> kept_;
  std::vector<transition> orphans_;
};

class printer {
 public:
  explicit printer(const trace_options& options) : options_{options} {}

  void print(const transition& one) {
    if (begin_ < 0) begin_ = one.time;
    const double time = one.time - begin_;
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
      text << (one.to == dwell::tcp_state::fin_wait_2 ? " (orphan, " : " (")
           << as_seconds(*one.remaining) << " left)";
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
  double begin_ = -1;  // of the first transition; until there is one, none
};

double seconds(std::chrono::duration<double> time) { return time.count(); }

/// What the lines of the trace say.
struct reading {
  std::vector<transition> transitions;
  std::optional<double> mark;
};

reading read(const std::vector<std::string>& lines) {
  reading found;
  for (const std::string& line : lines) {
    if (const auto one = parse_transition(line)) {
      found.transitions.push_back(*one);
    } else if (const auto mark = parse_mark(line)) {
      found.mark = mark;
    } else if (line.find("LOST") != std::string::npos) {
      std::cerr << "dwell: " << line << ": more happened than was read\n";
    }
  }
  return found;
}

int run(const trace_options& options) {
  constexpr std::chrono::milliseconds between_looks{200};
  remains kept{options.port};
  trace_instance trace{options.port};
  printer out{options};
  std::cerr << "tracing port " << options.port << "; Ctrl-C ends\n";
  std::optional<std::chrono::milliseconds> how_long;
  double looked = 0;
  while (const auto lines = trace.wait(how_long)) {
    reading now = read(*lines);
    kept.complete(now.transitions);
    for (const transition& one : now.transitions) out.print(one);
    // Where little happens, a mark says what time it is; otherwise what happened last.
    std::optional<double> time = now.mark;
    if (!now.transitions.empty()) time = now.transitions.back().time;
    if (time && kept.has_orphans() && *time >= looked + seconds(between_looks)) {
      looked = *time;
      for (const transition& one : kept.no_orphans_any_more(*time)) out.print(one);
    }
    if (lines->empty()) trace.mark();
    how_long = kept.has_orphans() ? std::optional{between_looks} : std::nullopt;
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
