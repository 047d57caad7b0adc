#include "interrupt.hpp"

#include <csignal>
#include <initializer_list>

namespace {
volatile std::sig_atomic_t asked = 0;
}

void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: waits must return
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

bool interrupted() { return asked != 0; }
