#pragma once

#include <dwell/net/endpoint.hpp>

#include <memory>
#include <string>
#include <vector>

namespace dwell::inline v0 {

class server;

/// A listening socket that the service manager has passed to this process.
struct passed_socket {
  std::string name;  ///< FileDescriptorName= of its .socket unit; "unknown" without one
  endpoint where;    ///< "fd:3": for service_options::listen
};

/// All of them, in the order of the unit; none when the process was started another way. Each may
/// be listened on once. Source: sd_listen_fds_with_names(3). Throws std::system_error.
std::vector<passed_socket> passed_sockets();

/// The one of that name. Throws std::invalid_argument naming it, and those that were passed.
endpoint passed_socket_named(const std::string& name);

/// Tells the service manager how a server is (sd_notify(3)): READY=1 once it runs, STOPPING=1 when
/// it drains, how many connections it has and in which step a drain is, and WATCHDOG=1 as long as
/// none of its loops has been in a turn for half of WatchdogSec=, so that a server that hangs is
/// started anew.
///
///     dwell::server server{…};
///     dwell::supervised for_systemd{server};
///     return server.run();
///
/// Does nothing, and starts no thread, where nobody wants to know ($NOTIFY_SOCKET is not set). The
/// server must outlive it. Throws std::system_error when its thread cannot be started.
class supervised {
 public:
  explicit supervised(server& which);
  ~supervised();
  supervised(const supervised&) = delete;
  supervised& operator=(const supervised&) = delete;

 private:
  class reporter;
  std::unique_ptr<reporter> reporter_;
};

}  // namespace dwell::inline v0
