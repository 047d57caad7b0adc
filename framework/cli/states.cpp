// dwell states: the sockets of a port by state.

#include <dwell/kernel/kernel_view.hpp>

#include "cli/command.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>

namespace {

using json = nlohmann::ordered_json;

struct states_options {
  std::uint16_t port = 0;
  bool watch = false;
  bool as_json = false;
  double interval = 1;
};

/// One look.
struct seen {
  dwell::port_view view;
  dwell::socket_usage usage;
  dwell::network_counters counters;
};

template <class Visit>
void for_each_state(Visit&& visit) {
  for (std::size_t i = 0; i < dwell::tcp_state_count; ++i) visit(static_cast<dwell::tcp_state>(i));
}

std::string ends_of(const dwell::tcp_socket& socket) {
  return to_string(socket.local.to_endpoint()) + " <-> " + to_string(socket.remote.to_endpoint());
}

std::string cell(std::uint64_t count) { return count == 0 ? "-" : with_commas(count); }

void print_states(std::ostream& out, const dwell::port_view& view, std::uint16_t port) {
  const std::string name = ':' + std::to_string(port);
  out << std::left << std::setw(16) << "state" << std::right;
  if (port == 0) {
    out << std::setw(16) << "sockets";
  } else {
    out << std::setw(16) << "local " + name << std::setw(16) << "remote " + name;
  }
  out << '\n';
  for_each_state([&](dwell::tcp_state state) {
    if (view.local[state] == 0 && view.remote[state] == 0) return;
    out << std::left << std::setw(16) << to_string(state) << std::right << std::setw(16)
        << cell(view.local[state]);
    if (port != 0) out << std::setw(16) << cell(view.remote[state]);
    out << '\n';
  });
}

void print_time_wait(std::ostream& out, const dwell::port_view& view) {
  if (!view.oldest_time_wait) return;
  out << "TIME_WAIT       oldest " << ends_of(*view.oldest_time_wait) << ", "
      << as_seconds(view.oldest_time_wait->remaining) << " left; newest "
      << as_seconds(view.newest_time_wait->remaining) << '\n';
}

/// What went wrong so far, and nothing when nothing did.
void print_counters(std::ostream& out, const dwell::network_counters& counters) {
  std::string text;
  for (const char* name :
       {"TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.TCPReqQFullDrop",
        "TcpExt.TCPTimeWaitOverflow", "TcpExt.TCPAbortOnMemory", "TcpExt.TCPAbortOnTimeout"}) {
    const auto value = counters.find(name).value_or(0);
    if (value == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string{name}.substr(sizeof "TcpExt." - 1) + ' ' +
            with_commas(static_cast<std::uint64_t>(value));
  }
  if (!text.empty()) out << "since boot      " << text << " (this network)\n";
}

void print_text(std::ostream& out, const seen& now, std::uint16_t port) {
  const dwell::port_view& view = now.view;
  if (view.local.total() + view.remote.total() == 0) {
    out << "no socket has port " << port << '\n';
    return;
  }
  print_states(out, view, port);
  for (const dwell::listener_view& listener : view.listeners) {
    if (port == 0 && listener.queued == 0) continue;
    out << "accept queue    " << to_string(listener.where) << ": " << with_commas(listener.queued)
        << " of " << with_commas(listener.limit) << '\n';
  }
  if (view.waiting_accept != 0) {
    out << "not accepted    " << with_commas(view.waiting_accept) << '\n';
  }
  if (view.orphans != 0) out << "orphans         " << with_commas(view.orphans) << '\n';
  print_time_wait(out, view);
  out << "queues          " << with_commas(view.unread) << " B unread, "
      << with_commas(view.unacknowledged) << " B unacknowledged\n";
  print_counters(out, now.counters);
}

json by_state(const dwell::tcp_state_counts& counts) {
  json named;
  for_each_state(
      [&](dwell::tcp_state state) { named[std::string{to_string(state)}] = counts[state]; });
  return named;
}

json as_json(const std::optional<dwell::tcp_socket>& socket) {
  if (!socket) return nullptr;
  return {{"local", to_string(socket->local.to_endpoint())},
          {"remote", to_string(socket->remote.to_endpoint())},
          {"remaining_ms", socket->remaining.count()}};
}

json as_json(const seen& now, std::uint16_t port) {
  const dwell::port_view& view = now.view;
  json listeners = json::array();
  for (const dwell::listener_view& each : view.listeners) {
    listeners.push_back({{"listen", to_string(each.where)},
                         {"queued", each.queued},
                         {"limit", each.limit},
                         {"user", each.user}});
  }
  json counters = json::object();
  for (const std::string_view name : dwell::network_counters::about_connections()) {
    if (const auto value = now.counters.find(name)) counters[std::string{name}] = *value;
  }
  return {{"port", port == 0 ? json(nullptr) : json(port)},
          {"local", by_state(view.local)},
          {"remote", port == 0 ? json(nullptr) : by_state(view.remote)},
          {"listeners", listeners},
          {"waiting_accept", view.waiting_accept},
          {"orphans", view.orphans},
          {"unread", view.unread},
          {"unacknowledged", view.unacknowledged},
          {"oldest_time_wait", as_json(view.oldest_time_wait)},
          {"newest_time_wait", as_json(view.newest_time_wait)},
          {"network", {{"in_use", now.usage.in_use}, {"time_wait", now.usage.time_wait}}},
          {"machine", {{"orphans", now.usage.orphans}, {"memory_pages", now.usage.memory_pages}}},
          {"counters", counters}};
}

/// In one write, so that whoever reads along sees whole looks.
void print(const seen& now, const states_options& options, bool first) {
  std::ostringstream text;
  if (options.as_json) {
    text << as_json(now, options.port).dump() << '\n';
  } else {
    if (options.watch && prints_to_terminal()) {
      text << "\033[H\033[J";
    } else if (!first) {
      text << '\n';
    }
    print_text(text, now, options.port);
  }
  std::cout << text.str() << std::flush;
}

int run(const states_options& options) {
  dwell::kernel_view kernel;
  const std::chrono::milliseconds interval{static_cast<std::int64_t>(options.interval * 1000)};
  bool first = true;
  bool any = false;
  do {
    const seen now{kernel.port(options.port), kernel.usage(), kernel.counters()};
    any = now.view.local.total() + now.view.remote.total() != 0;
    print(now, options, first);
    first = false;
  } while (options.watch && std::cout && wait_unless_interrupted(interval));
  if (options.watch) return done;
  return any ? done : negative;
}

}  // namespace

void add_states(CLI::App& program, action& chosen) {
  const auto options = std::make_shared<states_options>();
  CLI::App& command = *program.add_subcommand(
      "states", "Sockets of a port by TCP state, on both sides; TIME_WAIT and how long still");
  command
      .add_option_function<std::string>(
          "port", [options](const std::string& given) { options->port = parse_port(given); },
          "Whose sockets: those with this port at either end [all]")
      ->type_name(":PORT");
  command.add_flag("--watch", options->watch, "Again every interval, until Ctrl-C");
  command.add_option("--interval", options->interval, "Seconds between looks [1]")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->type_name("SECONDS");
  command.add_flag("--json", options->as_json, "One line of JSON per look");
  command.footer(
      "\nExamples:\n"
      "  dwell states :8080\n"
      "  dwell states :8080 --watch\n"
      "  dwell states :8080 --json | jq '.local.TIME_WAIT, .oldest_time_wait.remaining_ms'\n"
      "  ip netns exec clients dwell states :8080\n"
      "\n\"local\" counts sockets whose own port it is (a server's), \"remote\" those connected to "
      "it (a client's).\n"
      "Exit codes: 0 there are some, or Ctrl-C; 1 the kernel could not be asked; 2 wrong usage; "
      "3 no socket has this port.");
  command.callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}
