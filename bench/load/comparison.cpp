#include "comparison.hpp"

#include "commands.hpp"
#include "environment.hpp"
#include "interrupt.hpp"
#include "origin.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "result_json.hpp"
#include "run.hpp"
#include "search.hpp"
#include "self.hpp"
#include "verdict.hpp"
#include "words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <utility>

namespace load {
namespace {

using namespace std::chrono_literals;

constexpr double highest_tried = 1e6;
constexpr std::size_t tries_of_a_search = 8;  // for the time that is left; it ends by itself
constexpr nanoseconds between_runs = 400ms;   // networks, server, connections, its end

/// Whether more than a few of its connections have left a TIME_WAIT at either end.
bool leaves_time_waits(const column& of) {
  std::uint64_t connected = 0;
  std::uint64_t most = 0;
  for (const run_result& run : of.at_rate) {
    for (const second& each : run.seconds) {
      connected += each.connected;
      const auto add = [&most](const end_sample& end) {
        const auto found = end.states.find("TIME-WAIT");
        if (found != end.states.end()) most = std::max(most, found->second);
      };
      add(each.client);
      if (each.server) add(*each.server);
    }
  }
  return most * 20 * of.at_rate.size() > connected;
}

class comparer {
 public:
  explicit comparer(comparison what) : what_{std::move(what)} {
    about_.command = command_line();
    about_.written = utc_now();
    plans_.push_back(short_or_long(0, ending::client));
    for (const ending each : what_.endings) plans_.push_back(short_or_long(1, each));
    for (const plan& each : plans_) about_.columns.push_back({.name = column_name(each)});
  }

  report run() {
    progress_.emplace(steps());
    about_.partial = !all_steps() || interrupted();
    progress_->finish();
    conclude(about_);
    if (!failure_.empty()) about_.withheld.insert(about_.withheld.begin(), failure_);
    if (!failure_.empty()) about_.verdict.clear();
    return std::move(about_);
  }

 private:
  /// False: one failed. What was complete before it is not lost; without any, the error is all
  /// there is to say.
  bool all_steps() {
    try {
      at_the_same_rate();
      if (what_.search) search();
      if (what_.time_wait_run > 0s) over_a_minute();
      return true;
    } catch (const std::exception& failed) {
      if (about_.columns.front().at_rate.empty()) throw;
      failure_ = fmt::format("it stopped at an error: {}", failed.what());
      return false;
    }
  }

  plan short_or_long(std::uint64_t requests, ending by) const {
    plan of = what_.base;
    of.requests_per_connection = requests;
    of.ending = by;
    return of;
  }

  std::vector<progress::step> steps() const {
    const auto columns = plans_.size();
    const plan& base = what_.base;
    std::vector<progress::step> all{
        {columns * what_.repeats, base.warmup + base.duration + between_runs}};
    if (what_.search) all.push_back({columns * tries_of_a_search, search_plan(base).duration + 1s});
    // Which columns will need one is not known yet; the abort leaves nothing.
    if (what_.time_wait_run > 0s) {
      const auto needed = std::ranges::count_if(what_.endings, [](ending each) {
        return each == ending::client || each == ending::server;
      });
      all.push_back({static_cast<std::size_t>(needed), what_.time_wait_run + between_runs});
    }
    return all;
  }

  plan search_plan(plan of) const {
    of.warmup = what_.search_run / 3;
    of.duration = what_.search_run;
    return of;
  }

  /// One run, against a server of its own where that is wanted. nullopt: interrupted.
  std::optional<run_result> once(plan of, const own_server_options& options = {}) {
    if (interrupted()) return std::nullopt;
    std::optional<own_server> own;
    if (what_.self) own.emplace(of, options);
    if (about_.environment.kernel.empty()) describe_once(of, own);
    run_result result = carry_out(of);
    if (own) {
      result.flags.insert(result.flags.end(), own->doubts().begin(), own->doubts().end());
    }
    return result;
  }

  void describe_once(const plan& of, const std::optional<own_server>& own) {
    about_.environment = describe(of);
    if (!own) return;
    about_.environment.link = own->link();
    about_.environment.server = own->name();
  }

  void at_the_same_rate() {
    for (std::uint32_t round = 0; round < what_.repeats; ++round) {
      for (std::size_t i = 0; i < plans_.size(); ++i) {
        // Each comes first in turn: what drifts during the round is nobody's advantage.
        const std::size_t which = (i + round) % plans_.size();
        column& into = about_.columns[which];
        progress_->begin(0, fmt::format("{}, repeat {} of {} at {:.0f} requests/s", into.name,
                                        round + 1, what_.repeats, plans_[which].rate));
        std::optional<run_result> result = once(plans_[which]);
        if (!result || result->partial) return;
        into.at_rate.push_back(std::move(*result));
      }
    }
  }

  void search() {
    // So that it is the server that is searched, and not the number of ports.
    const own_server_options more_ports{
        .client_sysctls = {{"net.ipv4.ip_local_port_range", "1024 65535"}}};
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      column& into = about_.columns[i];
      rate_search rates{plans_[i].rate * 4, highest_tried};
      while (const std::optional<double> rate = rates.next()) {
        plan of = search_plan(plans_[i]);
        of.rate = *rate;
        progress_->begin(1, fmt::format("{}, is {:.0f} requests/s sustained?", into.name, *rate));
        std::optional<run_result> result = once(of, more_ports);
        if (!result || result->partial) return;
        rates.tell(*rate, sustains(*result, what_.p99));
        into.search.push_back(std::move(*result));
      }
      into.highest_rate = rates.highest();
    }
  }

  void over_a_minute() {
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      column& into = about_.columns[i];
      if (plans_[i].requests_per_connection == 0 || !leaves_time_waits(into)) continue;
      plan of = plans_[i];
      of.duration = what_.time_wait_run;
      progress_->begin(2, fmt::format("{}, TIME_WAIT and ports over {:.0f} s", into.name,
                                      std::chrono::duration<double>(of.duration).count()));
      std::optional<run_result> result = once(of);
      if (!result) return;
      into.time_wait = std::move(result);
      if (into.time_wait->partial) return;
    }
  }

  comparison what_;
  std::vector<plan> plans_;  // of the columns
  report about_;
  std::optional<progress> progress_;
  std::string failure_;
};

void write(const std::string& path, const std::string& text) {
  std::ofstream file{path, std::ios::trunc};
  if (!(file << text << std::flush)) throw std::runtime_error{"cannot write " + path};
}

void prepare(comparison& what) {
  if (!what.self && what.base.port == 0) {
    throw std::invalid_argument{
        "say what is to be compared: --target URL, or --self for a server of its own"};
  }
  if (what.self && what.base.port != 0) {
    throw std::invalid_argument{"--self has a server of its own: leave out --target"};
  }
  if (what.base.arrival == arrival::closed) {
    throw std::invalid_argument{"a closed loop has no rate at which to compare"};
  }
  if (!what.endings.empty()) return;
  what.endings = {ending::client};
  if (what.self) {
    what.endings.insert(what.endings.end(), {ending::server, ending::server_abort_after_fin});
  }
}

}  // namespace

int compare(comparison what) {
  prepare(what);
  const std::string json = what.json;
  const std::string html = what.html;
  catch_interrupt();
  const report found = comparer{std::move(what)}.run();
  write(json, to_json(found).dump() + '\n');
  write(html, render_html(found));
  if (found.partial) std::cout << "Not finished: the report has what was complete.\n";
  if (!found.verdict.empty()) std::cout << found.verdict << '\n';
  for (const std::string& why : found.withheld) std::cout << "No verdict: " << why << '\n';
  for (const std::string& remark : found.remarks) std::cout << "  " << remark << '\n';
  std::cout << "Written: " << html << ", " << json << std::endl;
  return found.verdict.empty() ? doubtful : done;
}

}  // namespace load
