#pragma once

#include <stdexcept>
#include <string>

/// This machine does not let us; says what is missing.
class not_here : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A network namespace of our own; the kernel keeps it while it is open, or somebody is in it.
class network {
 public:
  /// Makes one, and moves the calling thread to it. Throws not_here.
  network();
  network(network&& other) noexcept;
  network& operator=(network&&) = delete;
  ~network();

  /// Moves the calling thread to it, and so the sockets and threads it makes from now on.
  void enter() const;
  /// A TCP socket there, with those flags (SOCK_NONBLOCK), made by a thread that stays where it is.
  int make_socket(int flags) const;
  /// For ip and nsenter.
  std::string path() const;

 private:
  int descriptor_;
};

/// Makes sure that networks can be made, in a user namespace without root; for a process that has
/// one thread. False: it is root already. Throws not_here.
bool become_root();

/// Gives ip(8) these commands, in the network of the calling thread. Throws not_here.
void configure_network(const std::string& commands);
