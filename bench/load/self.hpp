#pragma once

#include "plan.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace load {

/// What is different from an ordinary own server.
struct own_server_options {
  /// Set in the client's network, where it has one of its own: {"net.ipv4.ip_local_port_range",
  /// "1024 65535"}.
  std::map<std::string, std::string> client_sysctls;
  nanoseconds stall{0};  ///< over 0: the server stands still for so long …
  nanoseconds stall_every = std::chrono::seconds{5};  ///< … once in each of these
};

/// `--self`: `dwell-load serve` as a child process, for one run after another.
///
/// Where the system allows it, the server and the calling thread are then in two fresh network
/// namespaces joined by veth: threads that this one starts from now on, and their sockets, are in
/// the client's. Where there are two processors, server and client have different ones. The server
/// ends with this object, or with the process, however that ends, and the networks with both.
class own_server {
 public:
  /// Starts what `of` needs, and sets its host, port and server. The first one is to be made before
  /// any other thread has been started. Throws std::runtime_error.
  explicit own_server(plan& of, const own_server_options& options = {});
  own_server(const own_server&) = delete;
  own_server& operator=(const own_server&) = delete;
  ~own_server();

  /// environment::link: "veth between two fresh network namespaces", or why it is loopback.
  const std::string& link() const noexcept { return link_; }
  /// environment::server: "own echo server".
  std::string name() const;
  /// What it leaves in doubt, in words: for run_result::flags. Empty with networks of its own.
  const std::vector<std::string>& doubts() const noexcept { return doubts_; }

 private:
  class child;

  protocol protocol_;
  std::string link_;
  std::vector<std::string> doubts_;
  std::unique_ptr<child> child_;
};

}  // namespace load
