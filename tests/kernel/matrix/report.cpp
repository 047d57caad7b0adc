#include "matrix/report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace dwell {

void print(const peer_behaviour& peer, const std::deque<cell_run>& runs) {
  std::printf(
      "%-28.*s       TIME_WAIT: server client both none | orphan | as observed, expected"
      " | all data  FIN  RST | gone after\n",
      static_cast<int>(peer.name.size()), peer.name.data());
  for (const cell_run& run : runs) {
    const cell_counts c = count(run);
    std::printf(
        "  %-26.*s %-5.*s            %6zu %6zu %4zu %4zu | %6zu | %5zu/%-3zu %5zu/%-3zu%s"
        " | %8zu %4zu %4zu | %5.2f s%s\n",
        static_cast<int>(run.cell.form.name.size()), run.cell.form.name.data(),
        static_cast<int>(to_string(run.cell.mode).size()), to_string(run.cell.mode).data(), c.here,
        c.there, c.both, c.nowhere, c.orphans, c.observed_right, c.observed, c.expected_right,
        c.expected, is_broken_by_peer(run.cell.expected()) ? " *" : "  ", c.complete, c.saw_fin,
        c.saw_reset, static_cast<double>(run.gone_after.count()) / 1000,
        c.lingered == c.trials ? "  lingered" : "");
  }
}

void write_json(const std::string& folder, const peer_behaviour& peer,
                const std::deque<cell_run>& runs) {
  std::string name{peer.name};
  std::ranges::replace_if(
      name, [](char c) { return c == ' ' || c == ','; }, '_');
  std::ofstream file{folder + '/' + name + ".json"};
  file << "{\"peer\": \"" << peer.name << "\", \"cells\": [";
  const char* separator = "\n";
  for (const cell_run& run : runs) {
    const cell_counts c = count(run);
    file << std::exchange(separator, ",\n") << "  {\"form\": \"" << run.cell.form.name
         << "\", \"mode\": \"" << to_string(run.cell.mode) << '"';
    const auto say = [&file](const char* what, auto value) {
      file << ", \"" << what << "\": " << value;
    };
    say("trials", c.trials);
    say("here", c.here);
    say("there", c.there);
    say("both", c.both);
    say("nowhere", c.nowhere);
    say("orphans_in_fin_wait_2", c.orphans);
    say("observed", c.observed);
    say("observed_right", c.observed_right);
    say("expected", c.expected);
    say("expected_right", c.expected_right);
    say("lingered", c.lingered);
    say("complete", c.complete);
    say("saw_fin", c.saw_fin);
    say("saw_reset", c.saw_reset);
    say("broken_by_peer", is_broken_by_peer(run.cell.expected()) ? "true" : "false");
    say("race", run.cell.expected() == placement::any ? "true" : "false");
    say("gone_after_ms", run.gone_after.count());
    say("bound_ms", run.cell.bound().count());
    file << '}';
  }
  file << "\n]}\n";
  if (!file.flush()) throw std::runtime_error{folder + ": cannot be written to"};
}

}  // namespace dwell
