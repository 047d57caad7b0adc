#include "commands.hpp"

namespace load {

void add_plan_flags(CLI::App&, plan&) {}

}  // namespace load
