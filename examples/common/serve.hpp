#pragma once

#include "common/flags.hpp"

/// Serves until SIGINT or SIGTERM. Says on standard output when it is ready, and, at SIGUSR1 and at
/// the end, how connections have ended. Returns the exit code for main.
int serve(const flags& chosen, const dwell::handler& what);
/// The same with a server of your own.
int serve(dwell::server& server, const flags& chosen, const dwell::handler& what);
