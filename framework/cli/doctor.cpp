// dwell doctor: which limit binds first, and which settings do not do what they were set for.

#include <dwell/kernel/doctor.hpp>

#include "cli/command.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>

namespace {

using json = nlohmann::ordered_json;

struct doctor_options {
  dwell::workload asked;
  bool as_json = false;
  bool as_sysctl = false;
};

/// Something refuses less than was asked: 3. Only protections or patience are lost: 4.
constexpr int refuses = 3;
constexpr int degrades = 4;

std::string number(double value) {
  if (value < 10 && value != std::floor(value)) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
  }
  return with_commas(static_cast<std::uint64_t>(std::llround(value)));
}

std::string asked_text(const dwell::workload& asked) {
  std::string text;
  if (asked.rate) text += number(*asked.rate) + " short connections a second";
  if (asked.connections) {
    text += (text.empty() ? "" : ", ") + with_commas(*asked.connections) + " connections at once";
  }
  if (text.empty()) text = "no --rate or --connections: limits as they are";
  if (asked.port != 0) text += "; server on port " + std::to_string(asked.port);
  return text;
}

std::string figure(const dwell::limit& one) {
  return number(one.allows) + ' ' + std::string{to_string(one.unit)};
}

bool was_asked(const dwell::workload& asked, dwell::limit_unit unit) {
  return unit == dwell::limit_unit::at_once ? asked.connections.has_value()
                                            : asked.rate.has_value();
}

void print_verdict(const dwell::diagnosis& found, dwell::network_side side) {
  const auto of_side = [&](const dwell::limit& one) { return one.side == side; };
  const auto first = std::ranges::find_if(found.limits, of_side);
  if (first == found.limits.end()) return;
  std::cout << "\nAs a " << to_string(side) << ": ";
  if (first->binds) {
    std::cout << first->name << " binds first, at " << figure(*first) << '\n';
  } else if (was_asked(found.asked, first->unit)) {
    std::cout << "nothing binds below that; nearest is " << first->name << ", at " << figure(*first)
              << '\n';
  } else {
    std::cout << "what binds first, by rate and by number\n";
  }
}

void print_whole(const dwell::limit& one) {
  std::cout << (one.binds ? "  ! " : "    ") << one.name << " = " << one.value << ": "
            << figure(one) << '\n'
            << "        why     " << one.because << '\n'
            << "        beyond  " << one.then << '\n'
            << "        fix     " << one.fix << '\n';
}

void print_side(const dwell::diagnosis& found, dwell::network_side side) {
  print_verdict(found, side);
  const dwell::limit* const at_once = found.first(side, dwell::limit_unit::at_once);
  const dwell::limit* const per_second = found.first(side, dwell::limit_unit::per_second);
  const auto is_first = [&](const dwell::limit& one) {
    return &one == at_once || &one == per_second;
  };
  for (const dwell::limit& one : found.limits) {
    if (one.side == side && is_first(one)) print_whole(one);
  }
  for (const dwell::limit& one : found.limits) {
    if (one.side != side || is_first(one)) continue;
    std::cout << (one.binds ? "  ! " : "    ") << one.name << " = " << one.value << ": "
              << figure(one) << (one.binds ? "; fix: " + one.fix : "") << '\n';
  }
}

void print_text(const dwell::diagnosis& found) {
  std::cout << asked_text(found.asked) << '\n';
  print_side(found, dwell::network_side::server);
  print_side(found, dwell::network_side::client);
  if (!found.folk.empty()) std::cout << "\nIn force, and not what it is commonly set for\n";
  for (const dwell::folk_setting& one : found.folk) {
    std::cout << "  " << one.name << " = " << one.value << '\n'
              << "         belief  " << one.belief << '\n'
              << "         truth   " << one.truth << '\n';
  }
  if (!found.notes.empty()) std::cout << "\nNotes\n";
  for (const std::string& one : found.notes) std::cout << "  " << one << '\n';
  if (!found.unreadable.empty()) std::cout << "\nCould not be read\n";
  for (const std::string& one : found.unreadable) std::cout << "  " << one << '\n';
  if (!found.advice.empty()) std::cout << "\nSettings worth changing: add --sysctl\n";
}

json limits_json(const dwell::diagnosis& found) {
  json all = json::array();
  for (const dwell::limit& one : found.limits) {
    all.push_back({{"side", to_string(one.side)},
                   {"unit", to_string(one.unit)},
                   {"name", one.name},
                   {"value", one.value},
                   {"allows", one.allows},
                   {"binds", one.binds},
                   {"first", &one == found.first(one.side, one.unit)},
                   {"beyond", to_string(one.beyond)},
                   {"because", one.because},
                   {"then", one.then},
                   {"fix", one.fix}});
  }
  return all;
}

template <class Value>
json or_null(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

void print_json(const dwell::diagnosis& found) {
  json folk = json::array();
  for (const dwell::folk_setting& one : found.folk) {
    folk.push_back(
        {{"name", one.name}, {"value", one.value}, {"belief", one.belief}, {"truth", one.truth}});
  }
  json advice = json::array();
  for (const dwell::advised_setting& one : found.advice) {
    advice.push_back({{"name", one.name}, {"value", one.value}, {"reason", one.reason}});
  }
  const json whole{
      {"asked",
       {{"side", found.asked.side ? json(to_string(*found.asked.side)) : json(nullptr)},
        {"rate", or_null(found.asked.rate)},
        {"connections", or_null(found.asked.connections)},
        {"port", found.asked.port == 0 ? json(nullptr) : json(found.asked.port)}}},
      {"limits", limits_json(found)},
      {"folk_settings", folk},
      {"advice", advice},
      {"notes", found.notes},
      {"unreadable", found.unreadable}};
  std::cout << whole.dump(2) << '\n';
}

bool is_sysctl(const dwell::advised_setting& one) {
  return one.name.find('.') != std::string::npos;
}

/// What sysctl(8) reads: comments begin with #.
void print_sysctl(const dwell::diagnosis& found) {
  std::cout << "# " << asked_text(found.asked) << ". By dwell doctor.\n"
            << "# Install as /etc/sysctl.d/90-dwell.conf, then run: sysctl --system\n";
  for (const dwell::advised_setting& one : found.advice) {
    std::cout << "\n# " << one.reason << '\n';
    if (!is_sysctl(one)) std::cout << "# (not a sysctl) ";
    std::cout << one.name << " = " << one.value << '\n';
  }
  if (found.advice.empty()) std::cout << "\n# Nothing to change.\n";
}

int run(const doctor_options& options) {
  const dwell::diagnosis found = dwell::doctor(options.asked);
  if (options.as_sysctl) {
    print_sysctl(found);
    return done;
  }
  (options.as_json ? print_json : print_text)(found);
  if (found.binds(dwell::beyond_limit::fails)) return refuses;
  return found.binds(dwell::beyond_limit::degrades) ? degrades : done;
}

}  // namespace

void add_doctor(CLI::App& program, action& chosen) {
  const auto options = std::make_shared<doctor_options>();
  CLI::App& command = *program.add_subcommand(
      "doctor",
      "Which limit of this machine binds first; settings that do not do what is believed");
  command.add_option("--rate", options->asked.rate, "Short connections a second to carry")
      ->check(CLI::Range(0.001, 1e9).description(""))
      ->type_name("R");
  command.add_option("--connections", options->asked.connections, "Connections to hold at once")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40U).description(""))
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--port",
          [options](const std::string& given) { options->asked.port = parse_port(given); },
          "The server's: its queue and, if it runs, its own limits are looked at")
      ->type_name("PORT");
  command
      .add_option_function<std::string>(
          "--as",
          [options](const std::string& given) {
            if (given != "server" && given != "client") {
              throw CLI::ValidationError{"--as", '"' + given + "\": use server or client"};
            }
            options->asked.side =
                given == "server" ? dwell::network_side::server : dwell::network_side::client;
          },
          "One side only [both]")
      ->type_name("server|client");
  CLI::Option* const as_json = command.add_flag("--json", options->as_json, "The whole as JSON");
  command.add_flag("--sysctl", options->as_sysctl, "A file for /etc/sysctl.d, a reason per line")
      ->excludes(as_json);
  command.footer(
      "\nExamples:\n"
      "  dwell doctor\n"
      "  dwell doctor --as server --rate 2000 --connections 50000 --port 8080\n"
      "  dwell doctor --as server --rate 2000 --sysctl | sudo tee /etc/sysctl.d/90-dwell.conf\n"
      "  dwell doctor --connections 50000 --json | jq '.limits[] | select(.binds)'\n"
      "\nNothing is changed, and no load is made. It is about this network namespace and, for "
      "descriptors,\nabout this shell's limit unless a server listens on --port.\n"
      "Exit codes: 0 nothing binds below what was asked; 1 failed; 2 wrong usage; 3 connections "
      "would fail;\n4 all would be served, but some wait or a protection is lost.");
  command.callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}
