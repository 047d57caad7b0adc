#pragma once

#include <dwell/dwell.hpp>

#include "networks.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

/// The server of the tour: Dwell's, told from outside what its one connection does next.
class dwell_server {
 public:
  /// Listens in the calling thread's network.
  explicit dwell_server(std::uint16_t port);

  /// What the next connection, or the one that is there, is told to do. Waits for the connection,
  /// until that has been done, and not for what follows from it.
  void tell(std::function<void(dwell::connection&)> what);
  /// Waits until it has been accepted.
  void await_open();
  /// Waits until its descriptor is released.
  void await_closed();
  /// Ends the connection, if there is one, without a trace.
  void forget();

 private:
  dwell::service_options options(std::uint16_t port);
  dwell::callbacks<> handler();
  void await(const char* what, const std::function<bool()>& condition);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<dwell::connection_id> open_;
  dwell::server server_;
};

/// A TCP socket that does what it is told, bound and not connected yet.
class plain_end {
 public:
  /// `port` 0: one of the kernel's choice.
  plain_end(const network& where, const char* address, std::uint16_t port = 0);
  plain_end(const plain_end&) = delete;
  plain_end& operator=(const plain_end&) = delete;
  ~plain_end();

  std::uint16_t port() const noexcept { return port_; }
  int descriptor() const noexcept { return descriptor_; }

  /// Starts a handshake, and does not wait.
  void connect(const char* address, std::uint16_t port) const;
  void shutdown_send() const;
  void close();
  /// RST.
  void reset();

 private:
  int descriptor_;
  std::uint16_t port_;
};
