#pragma once

#include <dwell/kernel/kernel_view.hpp>

#include "networks.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What is asked about: a connection's end, or, without a remote one, a socket that has none.
struct observed_end {
  dwell::endpoint local;
  dwell::endpoint remote;
  int descriptor = -1;  ///< -1: the process's own is looked for
};

struct transition {
  dwell::endpoint local;
  dwell::endpoint remote;
  std::string from;
  std::string to;
};

/// What each observer says about one end.
struct reading {
  std::optional<dwell::tcp_state> tcp_info;    ///< nullopt: no descriptor to ask with
  std::optional<dwell::tcp_socket> sock_diag;  ///< nullopt: no such socket
  std::vector<transition> tracepoint;          ///< since the last time it was asked
};

/// getsockopt(TCP_INFO).
std::optional<dwell::tcp_state> ask_tcp_info(int descriptor);

/// This process's descriptor of a socket; -1 when it has none.
int descriptor_of(std::uint32_t inode);

/// sock_diag in one network.
class sock_diag {
 public:
  explicit sock_diag(const network& where, const network& back);
  std::optional<dwell::tcp_socket> ask(const observed_end& end);
  /// A listener on that end's local address.
  std::optional<dwell::tcp_socket> ask_listener(const observed_end& end);

 private:
  std::optional<dwell::kernel_view> view_;
};

/// The tracepoint sock:inet_sock_set_state, as `dwell trace` tells it.
class tracepoint {
 public:
  /// `program` is dwell's path. It runs in the wire's network, where there are no connections, so
  /// that it adds nothing to what the tracepoint says.
  tracepoint(const std::string& program, const networks& joined, std::uint16_t port);
  tracepoint(const tracepoint&) = delete;
  tracepoint& operator=(const tracepoint&) = delete;
  ~tracepoint();

  /// Why there is none; empty when there is.
  const std::string& missing() const noexcept { return missing_; }
  /// All that has happened since the last call.
  std::vector<transition> news();

 private:
  bool read_line(int descriptor, std::string& line);
  void start(const std::string& program, const networks& joined);
  void make_mark() const;

  const network& empty_;
  std::uint16_t port_;
  int child_ = -1;
  int output_ = -1;
  std::string unread_;
  std::string missing_;
};
