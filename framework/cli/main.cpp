// dwell: tools that show what the kernel does with TCP connections.

#include <dwell/version.hpp>

#include "cli/command.hpp"

#include <exception>
#include <iostream>

namespace {

std::string complaint(const CLI::App* app, const CLI::Error& error) {
  return app->get_name() + ": " + error.what() + "; see " + app->get_name() + " --help\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"What the kernel does with TCP connections.", "dwell"};
  program.set_version_flag("--version", "dwell " + std::string{dwell::version()});
  program.footer("Each command has examples: dwell COMMAND --help");
  program.require_subcommand(1);
  program.failure_message(complaint);
  action chosen;
  add_states(program, chosen);
  add_doctor(program, chosen);
  add_trace(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? done : wrong_usage;
  }
  try {
    return chosen();
  } catch (const std::exception& error) {
    std::cerr << "dwell: " << error.what() << '\n';
    return failed;
  }
}
