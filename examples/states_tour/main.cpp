// Drives real connections through every state of the TCP diagram, at both ends, and shows what the
// kernel says about each.

#include "narrators.hpp"
#include "scenes.hpp"
#include "tour.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <langinfo.h>
#include <string>
#include <unistd.h>

namespace {

enum exit_code : int { shown = 0, failed = 1, wrong_usage = 2, cannot_be_shown = 3 };

struct options {
  telling how;
  bool json = false;
  bool step = false;
  std::string dwell = DWELL_PROGRAM;
};

constexpr const char* about =
    "Drives real connections through every state of the TCP diagram, at both ends,\n"
    "and shows what the kernel says about each.\n"
    "The client is a plain socket, the server Dwell's, each in a network of its own.\n"
    "This program is the wire between them, and holds every segment until it has\n"
    "looked at both ends.";

constexpr const char* examples =
    "\nExamples:\n"
    "  states_tour\n"
    "  states_tour --state CLOSING\n"
    "  states_tour --step       # Enter goes on; look around meanwhile\n"
    "  states_tour --json | jq -c 'select(.client.state == \"TIME_WAIT\")'\n"
    "\nNeeds root, or user namespaces, and ip(8); changes nothing outside of its own\n"
    "networks. The tracepoint needs root outside of containers, and the program dwell.\n"
    "Exit codes: 0 every state was reached; 1 failed, or the kernel went elsewhere;\n"
    "2 wrong usage; 3 cannot be shown here, and what is missing.";

dwell::tcp_state parse_state(std::string given) {
  std::ranges::transform(given, given.begin(), [](unsigned char one) {
    return one == '-' ? '_' : static_cast<char>(std::toupper(one));
  });
  std::string all;
  for (std::size_t i = 0; i < dwell::tcp_state_count; ++i) {
    const auto state = static_cast<dwell::tcp_state>(i);
    if (to_string(state) == given) return state;
    all += (all.empty() ? "" : ", ") + std::string{to_string(state)};
  }
  throw CLI::ValidationError{"--state", '"' + given + "\": use one of " + all};
}

/// Waits for Enter after each station, and tells where others can look.
class stepping : public narrator {
 public:
  explicit stepping(narrator& teller) : teller_{teller} {}
  void begins(const scene& what, std::size_t number) override { teller_.begins(what, number); }
  void reached(const scene& what, const station& where) override {
    teller_.reached(what, where);
    std::string line;
    std::getline(std::cin, line);
  }
  void ends(const scene& what) override { teller_.ends(what); }

 private:
  narrator& teller_;
};

constexpr const char* how_to_read =
    "Each row is a call, or a segment that arrives, and the states of both ends\n"
    "after it. Below stands what is said about an end that has moved: TCP_INFO of\n"
    "its descriptor, sock_diag (what ss reads), and the kernel's tracepoint.\n";

void say_where(const tour& shown, const options& chosen) {
  const networks& joined = shown.joined();
  if (chosen.json) {
    const nlohmann::ordered_json line{{"server", to_string(shown.server_endpoint())},
                                      {"server_network", joined.server.path()},
                                      {"client_network", joined.client.path()},
                                      {"tracepoint_missing", shown.tracepoint_missing()}};
    std::cout << line.dump() << std::endl;
    return;
  }
  if (!chosen.how.only_ladder) std::cout << how_to_read;
  if (!chosen.how.only_ladder && !shown.tracepoint_missing().empty()) {
    std::cout << "The tracepoint is not asked: " << shown.tracepoint_missing() << '\n';
  }
  if (chosen.step) {
    const std::string enter =
        joined.made_by_root ? "nsenter"
                            : "nsenter --preserve-credentials -U -t " + std::to_string(::getpid());
    std::cout << "Enter goes on. To look around:\n  client  " << enter
              << " --net=" << joined.client.path() << " ss -tan\n  server  " << enter
              << " --net=" << joined.server.path() << " ss -tan\n";
  }
}

int run(const options& chosen) {
  tour shown_here{chosen.dwell};
  say_where(shown_here, chosen);
  const std::string& missing = shown_here.tracepoint_missing();
  const auto teller = chosen.json ? tell_as_json(std::cout, chosen.how, missing)
                                  : tell_as_text(std::cout, chosen.how, missing);
  stepping with_pauses{*teller};
  narrator& told = chosen.step ? with_pauses : *teller;
  for (std::size_t i = 0; i < all_scenes().size(); ++i) {
    const scene& one = all_scenes()[i];
    const auto steps = chosen.how.only ? one.last_time(*chosen.how.only) : one.steps.size();
    if (steps) shown_here.play(one, i + 1, *steps, told);
  }
  return shown;
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  options chosen;
  chosen.how.unicode = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  chosen.how.colours = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  CLI::App app{about, "states_tour"};
  app.footer(examples);
  app.add_option_function<std::string>(
         "--state", [&](const std::string& given) { chosen.how.only = parse_state(given); },
         "Only how this one is reached, and what is said of it")
      ->type_name("NAME");
  app.add_flag("--ladder", chosen.how.only_ladder, "Only the ladders");
  app.add_flag("--step", chosen.step, "Wait for Enter after each step");
  app.add_flag("--json", chosen.json, "One line of JSON per step");
  app.add_option("--dwell", chosen.dwell, "The program dwell, which tells of the tracepoint")
      ->type_name("PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? shown : wrong_usage;
  }
  try {
    return run(chosen);
  } catch (const not_here& error) {
    std::cerr << "states_tour: " << error.what() << '\n';
    return cannot_be_shown;
  } catch (const std::exception& error) {
    std::cerr << "states_tour: " << error.what() << '\n';
    return failed;
  }
}
