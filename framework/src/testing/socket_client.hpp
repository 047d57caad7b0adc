#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace dwell::testing {

/// A client on a non-blocking socket: what simulated_peer is on the simulated network.
class socket_client {
 public:
  /// Connects to 127.0.0.1; a refusal is an error like any other. Throws std::system_error when
  /// there is no socket.
  explicit socket_client(std::uint16_t port);
  ~socket_client();
  socket_client(const socket_client&) = delete;
  socket_client& operator=(const socket_client&) = delete;

  void send(std::string_view data);
  void shutdown_send();
  void close();
  void reset();
  void read(bool on) { reads_ = on; }
  void stay_at_end() { closes_at_end_ = false; }
  void close_after(std::size_t bytes) { closes_after_ = bytes; }

  /// poll(2): what it waits for, and what it does then.
  int descriptor() const noexcept { return descriptor_; }
  short interest() const noexcept;
  void act();

  std::string& received() noexcept { return received_; }
  const std::string& received() const noexcept { return received_; }
  bool got_end() const noexcept { return got_end_; }
  bool got_error() const noexcept { return error_ != 0; }
  std::uint16_t local_port() const noexcept { return local_port_; }

 private:
  bool flush();
  void read_all();
  void lose(int error);
  void release();

  int descriptor_;
  std::uint16_t local_port_ = 0;
  std::string outgoing_;
  std::string received_;
  std::size_t closes_after_ = std::numeric_limits<std::size_t>::max();
  int error_ = 0;
  bool reads_ = true;
  bool closes_at_end_ = true;
  bool shutdown_asked_ = false;
  bool shut_down_ = false;
  bool close_asked_ = false;
  bool got_end_ = false;
};

}  // namespace dwell::testing
