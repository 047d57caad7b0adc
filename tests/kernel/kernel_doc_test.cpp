// The code of docs/kernel.md.

#include <dwell/kernel/doctor.hpp>
#include <dwell/kernel/kernel_view.hpp>

#include <gtest/gtest.h>

#include <iostream>
#include <sstream>

namespace {

using namespace std::chrono_literals;

// snippet: doctor
/// Before server.run(): one line for each limit that will refuse what is expected.
void warn_of_limits(std::ostream& log) {
  const dwell::diagnosis found = dwell::doctor(
      {.side = dwell::network_side::server, .rate = 2'000, .connections = 50'000, .port = 8080});
  for (const dwell::limit& one : found.limits) {
    if (one.binds) {
      log << one.name << " = " << one.value << " allows " << one.allows << ' '
          << to_string(one.unit) << "; " << one.fix << '\n';
    }
  }
}
// end snippet

// snippet: view
/// Connections that nobody closes: the peer has sent its FIN, and the program still has a
/// descriptor.
std::uint64_t waiting_to_be_closed(std::uint16_t port) {
  dwell::kernel_view kernel;  // keep one: it has a netlink socket and four files open
  const dwell::port_view view = kernel.port(port);
  return view.held[dwell::tcp_state::close_wait];  // `local` has those not accepted, too
}
// end snippet

TEST(kernel_doc, code_runs) {
  std::ostringstream log;
  warn_of_limits(log);
  EXPECT_TRUE(log.str().empty() || log.str().find(" allows ") != std::string::npos);
  EXPECT_EQ(waiting_to_be_closed(1), 0U);
}

}  // namespace
