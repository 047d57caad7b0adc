#pragma once

#include <stdexcept>
#include <string>

/// This machine does not let us; says what is missing.
class not_here : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A network namespace of our own; the kernel keeps it while it is open.
class network {
 public:
  /// Makes one, and moves the calling thread to it. Throws not_here.
  network();
  network(network&& other) noexcept;
  network& operator=(network&&) = delete;
  ~network();

  /// Moves the calling thread to it, and so the sockets it makes from now on.
  void enter() const;
  /// A TCP socket there, with those flags (SOCK_NONBLOCK), made by a thread that stays where it is.
  int make_socket(int flags) const;
  /// For ip and nsenter.
  std::string path() const;

 private:
  int descriptor_;
};

/// A client's network and a server's. They are joined by nothing but what wire.hpp does with the
/// two devices that end in a third network.
struct networks {
  static constexpr const char* server_address = "10.77.0.1";
  static constexpr const char* client_address = "10.77.0.2";
  static constexpr const char* server_device = "to_server";  ///< in `wire`
  static constexpr const char* client_device = "to_client";

  bool made_by_root = false;  ///< otherwise in a user namespace
  network client{};
  network wire{};
  network server{};
};

/// Leaves the calling thread, the process's only one, in the server's network. Without root in a
/// user namespace. Throws not_here.
networks make_networks();
