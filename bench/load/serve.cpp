#include "commands.hpp"

namespace load {

void add_serve(CLI::App&, action&) {}

}  // namespace load
