#include "self.hpp"

#include "commands.hpp"
#include "interrupt.hpp"
#include "run.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <stdexcept>

namespace load {
namespace {

using namespace std::chrono_literals;

struct planted {
  nanoseconds duration = 20s;
  nanoseconds stall = 200ms;
  nanoseconds stall_every = 5s;
};

double in_ms(nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

/// A server that stands still delays all that is due meanwhile, on average by half of that: with
/// the share of the time that it does, the p99 from the intended time is known beforehand.
int self_test(const planted& what) {
  if (what.stall <= 0ns || what.stall * 2 > what.stall_every) {
    throw std::invalid_argument{"--stall is not above 0 and at most half of --stall-every"};
  }
  const double share = in_ms(what.stall) / in_ms(what.stall_every);
  if (share <= 0.015) {
    throw std::invalid_argument{
        "a stall of less than 1.5 % of the time is not in a p99: lengthen --stall, or shorten "
        "--stall-every"};
  }
  plan of;
  of.connections = 4;  // so that few requests are on their way when the server stops
  of.rate = 1'000;
  of.warmup = 500ms;
  of.duration = what.duration;
  catch_interrupt();
  const own_server own{of, {.stall = what.stall, .stall_every = what.stall_every}};
  const run_result result = carry_out(of);
  if (result.partial) {
    std::cout << "interrupted\n";
    return failed;
  }
  const nanoseconds intended = result.latencies.request.at(0.99);
  const nanoseconds naive = result.latencies.naive.at(0.99);
  // Of those that a stall of S delays, the slowest that are 1 % of all wait S (1 - 0.01 / share).
  const nanoseconds expected{
      static_cast<std::int64_t>(static_cast<double>(what.stall.count()) * (1 - 0.01 / share))};
  std::cout << fmt::format(
      "The server stood still for {:.0f} ms every {:.1f} s; {} requests, {:.0f} a second\n"
      "  p99 from the intended time   {:8.2f} ms   expected {:.0f} ms\n"
      "  p99 from when it was sent    {:8.2f} ms   what a tool says that waits for its answers\n"
      "  longest                      {:8.2f} ms\n",
      in_ms(what.stall), in_ms(what.stall_every) / 1e3, result.answered, of.rate, in_ms(intended),
      in_ms(expected), in_ms(naive), in_ms(result.latencies.request.max()));
  const bool contains = intended >= expected / 2;
  const bool hides = naive < intended / 2;
  std::cout << (contains ? "The stall is in the p99 from the intended time.\n"
                         : "FAILED: the stall is not in the p99 from the intended time.\n")
            << (hides ? "It is not in the other.\n" : "FAILED: it is in the other, too.\n");
  return contains && hides ? done : failed;
}

}  // namespace

void add_self_test(CLI::App& app, action& chosen) {
  const auto what = std::make_shared<planted>();
  CLI::App* const command =
      app.add_subcommand("self-test", "Shows that a planted stall of the server is in the figures");
  add_time(*command, "-d,--duration", what->duration, "Of the run [20s]");
  add_time(*command, "--stall", what->stall, "The server stands still for so long [200ms]");
  add_time(*command, "--stall-every", what->stall_every, "How often that is [5s]");
  command->footer(
      "Exit codes: 0 it shows where it must, and not where it cannot; 1 otherwise.\n\n"
      "Examples:\n"
      "  dwell-load self-test\n"
      "  dwell-load self-test --duration 5s --stall-every 1s");
  command->callback([what, &chosen] { chosen = [what] { return self_test(*what); }; });
}

}  // namespace load
