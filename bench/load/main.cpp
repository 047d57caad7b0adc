// dwell-load: puts load on a server over long and short connections, and says what that costs.

#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

int main(int argc, char** argv) {
  CLI::App app{"Puts load on a server over long and short connections, and says what that costs."};
  app.require_subcommand(1);
  load::action chosen;
  load::add_run(app, chosen);
  load::add_compare(app, chosen);
  load::add_report(app, chosen);
  load::add_serve(app, chosen);
  load::add_self_test(app, chosen);
  try {
    app.parse(argc, argv);
    return chosen();
  } catch (const CLI::ParseError& failed) {
    return app.exit(failed) == 0 ? load::done : load::usage;
  } catch (const std::invalid_argument& wrong) {
    std::fprintf(stderr, "dwell-load: %s\n", wrong.what());
    return load::usage;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "dwell-load: %s\n", failed.what());
    return load::failed;
  }
}
