#pragma once

#include <dwell/net/endpoint.hpp>

#include "support/eventually.hpp"
#include "support/tls_session.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace dwell {

struct raw_client_options {
  int receive_buffer = 0;  ///< SO_RCVBUF in bytes, set before connecting; 0: the kernel's
  std::string from{};      ///< local address; empty: the kernel's choice
  std::optional<tls_session_options> tls{};
  bool finishes_handshake = true;  ///< false: its ClientHello is sent, and no more
};

/// A peer that does exactly what it is told: TCP or Unix, over plain system calls, and TLS if asked
/// to. Nothing waits longer than `patience`; what fails throws std::system_error, and what takes
/// too long, or is not TLS, std::runtime_error.
class raw_client {
 public:
  /// What receive_to_end() saw last. `error` 0 is a FIN.
  struct ending {
    std::string data;
    int error = 0;
    bool truncated = false;  ///< over TLS: it came without close_notify
  };
  /// What there is, without waiting; nothing of it: nothing yet.
  struct arrival {
    std::string data;
    bool ended = false;  ///< FIN
    int error = 0;
  };

  /// Connects, and shakes hands. An empty address in `to` is IPv4 loopback.
  explicit raw_client(const endpoint& to, const raw_client_options& how = {});
  raw_client(raw_client&& other) noexcept
      : descriptor_{std::exchange(other.descriptor_, -1)}, tls_{std::move(other.tls_)} {}
  raw_client& operator=(raw_client&& other) noexcept;
  ~raw_client() { close(); }

  /// All of it.
  void send(std::string_view data);
  /// What fits now; an errno value when it failed. Over TLS all of it is taken.
  std::pair<std::size_t, int> try_send(std::string_view data);
  /// Over TLS sends close_notify; otherwise there is nothing to say. An errno value when it failed.
  int say_goodbye();

  /// Exactly `count` bytes.
  std::string receive(std::size_t count);
  /// At least one byte; empty at the peer's close_notify, and at its FIN.
  std::string receive_some(std::size_t at_most = 65'536);
  /// To the FIN.
  ending receive_to_end();
  arrival receive_now();
  /// True when nothing, and no end either, comes in that time.
  bool hears_nothing_for(std::chrono::milliseconds how_long);
  /// True when bytes, FIN or RST are there to be seen.
  bool hears_something(std::chrono::milliseconds within = patience);

  /// Takes its time, as some peers do. Not for waiting.
  static void dawdle(std::chrono::microseconds how_long) { std::this_thread::sleep_for(how_long); }

  void shutdown_send();
  /// RST.
  void reset() noexcept;
  void close() noexcept;

  int descriptor() const noexcept { return descriptor_; }
  /// Null: not over TLS.
  const tls_session* tls() const noexcept { return tls_.get(); }
  std::uint16_t local_port() const;

 private:
  void wait_for(short events, const char* what);
  void shake_hands();
  /// What OpenSSL has for the wire, as far as it fits now: an errno value.
  int flush();
  int descriptor_;
  std::unique_ptr<tls_session> tls_;
};

}  // namespace dwell
